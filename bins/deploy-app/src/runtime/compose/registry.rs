//! Logging in to registries of images, for one command alone.

use action::export::quote::posix as quote;

use crate::settings::Login;

/// A script that runs while Docker is logged in to these registries. Docker keeps passwords in the folder of its
/// configuration, so the script gets one of its own, which goes with it: a copy of the user's, with whatever lies there
/// as links, and without the stores in which the user's own passwords are.
pub(crate) fn logged_in(logins: &[Login], script: &str) -> String {
    if logins.is_empty() {
        return script.to_owned();
    }
    let mut hosts = String::new();
    let mut log_in = String::new();
    for Login {
        host,
        user,
        password,
    } in logins
    {
        hosts += &format!("; s|\"{host}\"|\"{host}-before\"|g");
        log_in += &format!(
            "o=$(printf %s {password} | docker login --username {user} --password-stdin {host} 2>&1) || \
             {{ printf '%s\\n' \"$o\" {failed} >&2; exit 1; }}\n",
            password = quote(password.reveal()),
            user = quote(user),
            failed = quote(&format!("cannot log in to {host} as {user}")),
        );
    }
    // Docker passes over keys that it does not know.
    format!(
        r#"c=${{DOCKER_CONFIG:-${{HOME-}}/.docker}}; d=$(umask 077; mktemp -d) || exit 1; trap 'rm -rf "$d"' EXIT; trap 'exit 1' HUP INT TERM
for f in "$c"/*; do case $f in */config.json) sed 's/"credsStore"/"credsStore-before"/{hosts}' "$f" >"$d/config.json";; *) [ ! -e "$f" ] || ln -s "$f" "$d/";; esac; done
export DOCKER_CONFIG="$d"; unset o c f
{log_in}{script}"#
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_log_in_lasts_for_one_command_and_touches_nothing_of_the_users() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["bin", "own/cli-plugins", "tmp"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        let docker = "#!/bin/sh\n[ \"$1\" = login ] || exit 9\nread -r p; echo \"$3 $5 $p\" >>\"$DOCKER_CONFIG/logins\"\n[ \"$p\" != wrong ] || { echo unauthorized >&2; exit 1; }\n";
        fs::write(at("bin/docker"), docker).unwrap();
        fs::set_permissions(at("bin/docker"), fs::Permissions::from_mode(0o755)).unwrap();
        let own =
            r#"{"credsStore": "desktop", "auths": {"r.example.org:5000": {}, "other.org": {}}}"#;
        fs::write(at("own/config.json"), own).unwrap();
        let run = |password: &str| {
            let login = Login {
                host: "r.example.org:5000".to_owned(),
                user: "it's".to_owned(),
                password: password.to_owned().into(),
            };
            let script = logged_in(
                &[login],
                "cat \"$DOCKER_CONFIG\"/config.json \"$DOCKER_CONFIG\"/logins; ls \"$DOCKER_CONFIG\"; exit 3",
            );
            let path = format!("{}:/usr/bin:/bin", at("bin").display());
            let output = Command::new("sh")
                .args(["-c", &script])
                .env("PATH", path)
                .env("DOCKER_CONFIG", at("own"))
                .env("TMPDIR", at("tmp"))
                .output()
                .unwrap();
            // Nothing is left, whatever the end.
            assert_eq!(fs::read_dir(at("tmp")).unwrap().count(), 0);
            assert_eq!(fs::read_to_string(at("own/config.json")).unwrap(), own);
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            (
                output.status.code(),
                text(output.stdout),
                text(output.stderr),
            )
        };
        let (status, said, _) = run("pass'word");
        let config = r#"{"credsStore-before": "desktop", "auths": {"r.example.org:5000-before": {}, "other.org": {}}}"#;
        assert_eq!(status, Some(3));
        assert_eq!(
            said,
            format!(
                "{config}it's r.example.org:5000 pass'word\ncli-plugins\nconfig.json\nlogins\n"
            )
        );
        let (status, said, told) = run("wrong");
        assert_eq!((status, said.as_str()), (Some(1), ""));
        assert_eq!(
            told,
            "unauthorized\ncannot log in to r.example.org:5000 as it's\n"
        );
    }

    #[test]
    fn without_a_registry_nothing_is_done() {
        assert_eq!(logged_in(&[], "docker compose up"), "docker compose up");
    }
}
