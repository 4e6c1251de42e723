//! EC2 Instance Connect Endpoint: a websocket whose binary frames are the bytes of a TCP connection that AWS opens
//! inside the VPC. The address is presigned and good for a minute.
//!
//! Limits that AWS documents (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/connect-with-ec2-instance-connect-endpoint.html>):
//! ports 22 and 3389 only, 20 connections at a time, an hour for each, and no high volume of data.

mod choice;

use std::time::Duration;

use aws::dial::Dialer;
use aws::error::AwsError;
use aws::session::Session;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, MissedTickBehavior, interval};

pub use choice::{Choice, Endpoint, Lack, Names, choose};

use crate::error::{EndpointError, TunnelError};
use crate::host::Host;
use crate::signature::{self, Scope, encoded};
use crate::stream::{Other, Stop, Tunnel, Tunnels, stopped};
use crate::websocket::{Did, FAREWELL, PING, Socket};
use tokio_tungstenite::tungstenite::protocol::Message;
use tunnel_protocol::frames::{self, Came, Fault, Frames, Out};

/// How long the address is good for, as AWS's own client asks for.
const EXPIRES: Duration = Duration::from_secs(60);

/// The Instance Connect Endpoints of an account and region.
#[derive(Debug, Clone)]
pub struct Eic {
    session: Session,
    dialer: Dialer,
    client: aws_sdk_ec2::Client,
}

impl Eic {
    /// With the clients of a session.
    #[must_use]
    pub fn new(session: &Session, dialer: &Dialer) -> Self {
        Self {
            session: session.clone(),
            dialer: dialer.clone(),
            client: aws_sdk_ec2::Client::new(&session.config),
        }
    }

    /// All of them, also of other VPCs: those explain why there is no way. Needs
    /// `ec2:DescribeInstanceConnectEndpoints`.
    ///
    /// # Errors
    /// What the call met.
    pub async fn endpoints(&self) -> Result<Vec<Endpoint>, AwsError> {
        let mut pages = self
            .client
            .describe_instance_connect_endpoints()
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::of(&error))?;
            found.extend(page.instance_connect_endpoints().iter().map(Endpoint::of));
        }
        Ok(found)
    }

    /// Which names of an endpoint the settings for AWS ask for.
    #[must_use]
    pub fn names(&self) -> Names {
        Names {
            fips: self.session.config.use_fips().unwrap_or(false),
            dual_stack: self.session.config.use_dual_stack().unwrap_or(false),
        }
    }

    /// Opens a tunnel to the SSH port of a host. Needs `ec2-instance-connect:OpenTunnel`.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn open(
        &self,
        choice: &Choice,
        tunnels: &Tunnels,
        deadline: Instant,
    ) -> Result<Tunnel, TunnelError> {
        let address = address(choice);
        let scope = Scope {
            service: "ec2-instance-connect",
            region: &self.session.region,
            in_address: Some(EXPIRES),
        };
        let signature = signature::of(&self.session, &scope, &address).await?;
        let query = signature.query.iter();
        let query: String = query
            .map(|(name, value)| format!("&{name}={}", encoded(value)))
            .collect();
        let signed = format!("{address}{query}");
        let socket = Socket::open(&self.dialer, &signed, &[], deadline).await;
        let socket = socket.map_err(TunnelError::Open)?;
        let (tunnel, other) = Tunnel::new();
        tunnels.run(|stop| carry(socket, other, stop));
        Ok(tunnel)
    }
}

fn address(choice: &Choice) -> String {
    format!(
        "wss://{}/openTunnel?instanceConnectEndpointId={}&remotePort={}&privateIpAddress={}",
        choice.name,
        encoded(&choice.id),
        Host::PORT,
        encoded(&choice.address.to_string()),
    )
}

/// Carries bytes until one side ends.
async fn carry(mut socket: Socket, other: Other, mut stop: Stop) -> Result<(), String> {
    let Other {
        pipe,
        end,
        mut dropped,
    } = other;
    let (mut from, mut to) = tokio::io::split(pipe);
    let mut frames = Frames::new();
    let mut buffer = vec![0; frames::MOST];
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let began = Instant::now();
    let fault = loop {
        let (has_frame, wants_frame) = (frames.has_frame(), frames.wants_frames());
        tokio::select! {
            did = socket.next(has_frame, wants_frame) => {
                let handled = match did {
                    Did::Ready => {
                        while let Some(out) = frames.transmit() {
                            match socket.push(message(out)) {
                                Ok(true) => {}
                                Ok(false) => break,
                                Err(why) => frames.receive(Came::Cut(why)),
                            }
                        }
                        frames.fault()
                    }
                    Did::Came(came) => {
                        frames.receive(came);
                        while frames.wants_frames() && let Some(came) = socket.came() {
                            frames.receive(came);
                        }
                        frames.fault()
                    }
                };
                // What came before the end is still handed on.
                if let Some(fault) = handled && frames.inbox().is_empty() {
                    break Some(fault);
                }
            }
            read = from.read(&mut buffer), if frames.takes() => match read {
                Ok(0) | Err(_) => break None,
                Ok(count) => frames.send(&buffer[..count]),
            },
            written = to.write(frames.inbox()), if !frames.inbox().is_empty() => match written {
                Ok(count) if count > 0 => {
                    frames.consume(count);
                    if let Some(fault) = frames.fault() && frames.inbox().is_empty() {
                        break Some(fault);
                    }
                }
                _ => break None,
            },
            () = dropped.wait(), if !frames.takes() => break None,
            _ = ping.tick() => frames.ping(),
            () = stopped(&mut stop) => break None,
        }
    };
    if let Some(fault) = fault {
        end.is(TunnelError::Endpoint(after(began.elapsed(), fault)));
    }
    socket.close(Instant::now() + FAREWELL).await;
    Ok(())
}

fn message(out: Out) -> Message {
    match out {
        Out::Binary(bytes) => Message::binary(bytes),
        Out::Ping => Message::Ping(Vec::new().into()),
    }
}

fn after(time: Duration, fault: Fault) -> EndpointError {
    // Its clock began before ours.
    match time + Duration::from_secs(10) >= Duration::from_secs(3600) {
        true => EndpointError::Hour(fault),
        false => EndpointError::Ended(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::{Choice, Fault, address, after};
    use std::time::Duration;

    #[test]
    fn an_address_names_endpoint_port_and_host() {
        let choice = Choice {
            id: "eice-1".to_owned(),
            name: "e.example.com".to_owned(),
            address: std::net::IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 7]),
        };
        assert_eq!(
            address(&choice),
            "wss://e.example.com/openTunnel?instanceConnectEndpointId=eice-1&remotePort=22&privateIpAddress=fd00%3A%3A7"
        );
    }

    #[test]
    fn the_limit_of_an_hour_is_named_when_it_bites_and_only_then() {
        let fault = || Fault::Closed {
            code: 1001,
            reason: "max duration".to_owned(),
        };
        let early = after(Duration::from_secs(3000), fault()).to_string();
        assert_eq!(
            early,
            "the Instance Connect Endpoint closed the connection (1001): max duration"
        );
        let late = after(Duration::from_secs(3599), fault()).to_string();
        assert!(late.contains("after an hour"), "{late}");
    }
}
