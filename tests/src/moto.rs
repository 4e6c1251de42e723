//! moto, a second opinion on the wire format by people who are not us.

use std::ops::Deref;
use std::process::Command;

use crate::server::{Server, Start, installed};

/// A running `moto_server`; dropping it stops it.
pub struct Moto(Server);

impl Moto {
    /// Starts `moto_server` on a free port, with a single small image `ami-12c6146b` in its
    /// catalogue (the whole one takes seconds to load). `None`, after [`crate::missing()`], when it
    /// is not installed.
    ///
    /// The program is the one named by `MOTO_SERVER`, or `venv/bin/moto_server` in the build folder
    /// (`BUILD_DIR`, or `build` in the workspace).
    ///
    /// # Panics
    /// When it is installed but does not start.
    pub fn start() -> Option<Self> {
        let program = installed("MOTO_SERVER", "venv/bin/moto_server")?;
        Some(Self(Server::start(&Start {
            name: "moto",
            command: &|port, folder| {
                let images = folder.join("amis.json");
                std::fs::write(&images, IMAGES).expect("cannot write the images");
                let mut command = Command::new(&program);
                command
                    .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                    .env("MOTO_AMIS_PATH", &images);
                command
            },
            ready: "/moto-api/",
        })))
    }

    /// Forgets everything that was created.
    pub fn reset(&self) {
        let (status, body) = self.request("POST", "/moto-api/reset", &[], b"");
        assert_eq!(status, 200, "moto does not reset: {body}");
    }
}

impl Deref for Moto {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

const IMAGES: &str = r#"[{
  "ami_id": "ami-12c6146b", "state": "available", "public": true, "owner_id": "801119661308",
  "image_location": "amazon/base", "sriov": "simple", "root_device_type": "ebs",
  "root_device_name": "/dev/sda1", "description": "base", "image_type": "machine",
  "platform": null, "architecture": "x86_64", "name": "base", "virtualization_type": "hvm",
  "hypervisor": "xen"
}]
"#;
