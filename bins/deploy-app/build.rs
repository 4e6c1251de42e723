//! Puts the agents inside, where `DEPLOY_AGENT_FOLDER` names a folder with one for each architecture:
//! `MACHINE.gz` and, beside it, `MACHINE.sha256` with the digest of what is compressed. See `scripts/build-static`.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=DEPLOY_AGENT_FOLDER");
    println!("cargo::rerun-if-changed=build.rs");
    let mut entries = String::new();
    if let Some(folder) = std::env::var_os("DEPLOY_AGENT_FOLDER") {
        for machine in ["x86_64", "aarch64"] {
            let gzip = Path::new(&folder).join(format!("{machine}.gz"));
            let digest = gzip.with_extension("sha256");
            println!("cargo::rerun-if-changed={}", gzip.display());
            println!("cargo::rerun-if-changed={}", digest.display());
            let text = std::fs::read_to_string(&digest)
                .unwrap_or_else(|error| panic!("{}: {error}", digest.display()));
            let digest = text.split_whitespace().next().unwrap_or_default();
            assert_eq!(digest.len(), 64, "not a SHA-256 in hexadecimal");
            entries += &format!(
                "Embedded {{ machine: {machine:?}, digest: {digest:?}, gzip: include_bytes!({gzip:?}) }},\n"
            );
        }
    }
    let out = std::env::var_os("OUT_DIR").unwrap_or_default();
    let out = Path::new(&out).join("embedded.rs");
    let text = format!("const EMBEDDED: &[Embedded] = &[\n{entries}];\n");
    std::fs::write(&out, text).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}
