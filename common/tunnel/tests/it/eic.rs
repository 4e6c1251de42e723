//! Instance Connect Endpoints.

use crate::world::{World, bytes, echo, host, soon, there_and_back};
use harness::tunnel::{Endpoint, Manner, list_endpoints};
use tunnel::eic::{Choice, Eic, choose};
use tunnel::{Tunnel, TunnelError};

async fn started(world: &World) -> (Endpoint, Eic, Choice) {
    let endpoint = Endpoint::start(&world.aws, echo().await);
    let items = endpoint.listed("eice-1", "vpc-1", "subnet-1", "create-complete");
    list_endpoints(&world.aws, &items);
    let eic = Eic::new(&world.session, &world.dialer);
    let listed = eic.endpoints().await.unwrap();
    let choice = choose(&listed, &host(), eic.names()).unwrap();
    (endpoint, eic, choice)
}

#[tokio::test]
async fn bytes_go_there_and_back_over_a_presigned_request() {
    let world = World::new().await;
    let (endpoint, eic, choice) = started(&world).await;
    let tunnel = eic.open(&choice, &world.tunnels, soon()).await.unwrap();
    drop(there_and_back(tunnel, &bytes(3 << 20)).await.unwrap());
    world.close().await;
    let asked = endpoint.requests();
    let begin =
        "/openTunnel?instanceConnectEndpointId=eice-1&remotePort=22&privateIpAddress=10.0.0.7&";
    assert!(asked[0].starts_with(begin), "{asked:?}");
}

/// Why a tunnel ends that was opened and used.
async fn end(manner: Manner) -> String {
    let world = World::new().await;
    let (endpoint, eic, choice) = started(&world).await;
    endpoint.behaves(manner);
    let tunnel = eic.open(&choice, &world.tunnels, soon()).await.unwrap();
    let ending = tunnel.ending();
    let error = there_and_back(tunnel, &bytes(200_000)).await.err().unwrap();
    world.close().await;
    let reason = ending.reason().map(|reason| reason.to_string());
    assert_eq!(reason, Some(error.to_string()));
    error.to_string()
}

#[tokio::test]
async fn every_end_is_told_with_its_reason() {
    let closes = Manner {
        closes: Some((100_000, 1008, "Max concurrent tunnels exceeded".to_owned())),
        ..Manner::default()
    };
    assert_eq!(
        end(closes).await,
        "the Instance Connect Endpoint closed the connection (1008): Max concurrent tunnels exceeded"
    );
    let text = Manner {
        text: Some("{\"message\": \"no\"}".to_owned()),
        ..Manner::default()
    };
    assert_eq!(
        end(text).await,
        "the Instance Connect Endpoint sent a text instead of the stream: {\"message\": \"no\"}"
    );
    let cuts = Manner {
        cuts: Some(100_000),
        ..Manner::default()
    };
    let said = end(cuts).await;
    assert!(said.contains("broke off the connection"), "{said}");
}

async fn refusal(manner: Manner) -> TunnelError {
    let world = World::new().await;
    let (endpoint, eic, choice) = started(&world).await;
    endpoint.behaves(manner);
    let opened: Result<Tunnel, _> = eic.open(&choice, &world.tunnels, soon()).await;
    opened.err().unwrap()
}

#[tokio::test]
async fn a_refused_request_is_told_with_what_the_service_said() {
    let refuses = |date: Option<&str>| Manner {
        refuses: Some((
            403,
            "not authorized to perform ec2-instance-connect:OpenTunnel".to_owned(),
            date.map(str::to_owned),
        )),
        ..Manner::default()
    };
    assert_eq!(
        refusal(refuses(None)).await.to_string(),
        "the server refused the websocket: HTTP 403: not authorized to perform ec2-instance-connect:OpenTunnel"
    );
    let said = refusal(refuses(Some("Mon, 23 Nov 2020 09:00:00 GMT")))
        .await
        .to_string();
    assert!(
        said.contains("the clock of this machine is") && said.ends_with("s ahead"),
        "{said}"
    );
}
