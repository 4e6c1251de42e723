//! Sessions of Session Manager.

use crate::world::{World, bytes, echo, host, soon, there_and_back};
use harness::Reply;
use harness::tunnel::{Agent, Behaviour, Faults};
use std::time::Duration;
use tunnel::ssm::{Ping, Ssm};
use tunnel::{SsmError, Tunnel, TunnelError};

async fn started(world: &World, behaviour: &Behaviour) -> (Agent, Result<Tunnel, TunnelError>) {
    let agent = Agent::start(echo().await, behaviour);
    agent.serve(&world.aws);
    let ssm = Ssm::new(&world.session, &world.dialer);
    let opened = ssm.open(&host(), &world.tunnels, soon()).await;
    (agent, opened)
}

/// Sends bytes through a session and back, and ends it.
async fn whole(behaviour: Behaviour, count: usize) -> Agent {
    let world = World::new().await;
    let (agent, opened) = started(&world, &behaviour).await;
    let tunnel = there_and_back(opened.unwrap(), &bytes(count))
        .await
        .unwrap();
    drop(tunnel);
    world.close().await;
    assert_eq!(agent.left_open(), Vec::<String>::new());
    agent
}

#[tokio::test]
async fn bytes_go_there_and_back_and_the_session_is_ended() {
    let agent = whole(Behaviour::default(), 1 << 20).await;
    assert_eq!(agent.flags(), [2], "the agent was told, too");
    let requests = agent.requests();
    let (address, authorization) = &requests[0];
    assert!(address.ends_with("?role=publish_subscribe"), "{address}");
    let authorization = authorization.as_deref().unwrap();
    assert!(
        authorization.contains("/eu-west-1/ssmmessages/aws4_request"),
        "{authorization}"
    );
}

#[tokio::test]
async fn the_stream_is_exact_whatever_the_network_does() {
    for seed in 0..4 {
        let faults = Faults {
            lost: 5,
            twice: 5,
            late: 10,
            spoilt: 2,
            cuts: Vec::new(),
            seed,
        };
        let faults = Behaviour {
            faults,
            ..Behaviour::default()
        };
        whole(faults, 40_000).await;
    }
}

#[tokio::test]
async fn a_session_that_is_cut_goes_on_where_it_was() {
    let faults = Faults {
        cuts: vec![40, 3, 100, 1],
        ..Faults::default()
    };
    let behaviour = Behaviour {
        faults,
        ..Behaviour::default()
    };
    let agent = whole(behaviour, 200_000).await;
    assert_eq!(agent.connections(), 5);
}

#[tokio::test]
async fn pauses_slow_acknowledgements_and_encryption_change_nothing_of_the_stream() {
    let behaviour = Behaviour {
        acknowledges_after: Duration::from_millis(50),
        pauses_every: Some(50),
        kms_key: Some("arn:aws:kms:eu-west-1:111122223333:key/1".to_owned()),
        action: Some("Teleport".to_owned()),
        ..Behaviour::default()
    };
    whole(behaviour, 200_000).await;
}

/// Why there is no session.
async fn refusal(behaviour: Behaviour, first: impl FnOnce(&World)) -> (TunnelError, Vec<String>) {
    let world = World::new().await;
    let agent = Agent::start(echo().await, &behaviour);
    agent.serve(&world.aws);
    first(&world);
    let ssm = Ssm::new(&world.session, &world.dialer);
    let opened = ssm.open(&host(), &world.tunnels, soon()).await;
    let error = opened.err().unwrap();
    world.close().await;
    (error, agent.left_open())
}

#[tokio::test]
async fn every_refusal_is_told_and_leaves_no_session() {
    let none = || Behaviour::default();
    let (error, _) = refusal(none(), |world| {
        let reply = Reply::error(
            400,
            "TargetNotConnected",
            "i-0123456789abcdef0 is not connected.",
        );
        world.aws.on("ssm:StartSession", [reply]);
    })
    .await;
    assert!(
        matches!(error, TunnelError::Ssm(SsmError::NoAgent { .. })),
        "{error}"
    );
    let (error, _) = refusal(none(), |world| {
        let said =
            "not authorized to perform: ssm:StartSession on resource: document/AWS-StartSSHSession";
        world.aws.on(
            "ssm:StartSession",
            [Reply::error(400, "AccessDeniedException", said)],
        );
    })
    .await;
    assert!(
        error.to_string().contains("ssm:SessionDocumentAccessCheck"),
        "{error}"
    );

    let key = || Behaviour {
        kms_key: Some("alias/sessions".to_owned()),
        ..Behaviour::default()
    };
    let (error, left) = refusal(key(), |world| {
        let said = "not authorized to perform: kms:GenerateDataKey";
        world.aws.on(
            "kms:GenerateDataKey",
            [Reply::error(400, "AccessDeniedException", said)],
        );
    })
    .await;
    let said = error.to_string();
    let begin = "the session must be encrypted with the KMS key alias/sessions, and that cannot be used: AccessDeniedException";
    assert!(said.starts_with(begin), "{said}");
    assert_eq!(left, Vec::<String>::new());

    let shell = Behaviour {
        session_type: "Standard_Stream".to_owned(),
        ..Behaviour::default()
    };
    let (error, left) = refusal(shell, |_| {}).await;
    assert!(
        error
            .to_string()
            .contains("Standard_Stream, which is not supported"),
        "{error}"
    );
    assert_eq!(left, Vec::<String>::new());

    let alone = Behaviour {
        is_alone: true,
        ..Behaviour::default()
    };
    let world = World::new().await;
    let (agent, opened) = started(&world, &alone).await;
    // The agent opens the stream first, and says so at once.
    let error = match opened {
        Ok(tunnel) => there_and_back(tunnel, &bytes(10))
            .await
            .err()
            .unwrap()
            .to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(
        error,
        "the SSM agent cannot connect to the port on its host"
    );
    world.close().await;
    assert_eq!(agent.left_open(), Vec::<String>::new());
}

#[tokio::test]
async fn a_session_that_the_service_ends_is_told_in_its_words_and_not_resumed() {
    let world = World::new().await;
    let behaviour = Behaviour {
        closes: Some((
            50_000,
            "Your session timed out due to inactivity.".to_owned(),
        )),
        ..Behaviour::default()
    };
    let (agent, opened) = started(&world, &behaviour).await;
    let error = there_and_back(opened.unwrap(), &bytes(100_000))
        .await
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "Session Manager ended the session: Your session timed out due to inactivity."
    );
    world.close().await;
    assert_eq!(agent.connections(), 1);
}

#[tokio::test]
async fn a_session_that_cannot_be_resumed_says_so() {
    let world = World::new().await;
    let behaviour = Behaviour {
        faults: Faults {
            cuts: vec![40],
            ..Faults::default()
        },
        resumes: false,
        ..Behaviour::default()
    };
    let (_agent, opened) = started(&world, &behaviour).await;
    let error = there_and_back(opened.unwrap(), &bytes(100_000))
        .await
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .contains("could not be resumed: DoesNotExistException"),
        "{error}"
    );
    world.close().await;
}

#[tokio::test]
async fn a_session_that_cannot_be_ended_is_named_with_the_command_that_ends_it() {
    let world = World::new().await;
    let (_agent, opened) = started(&world, &Behaviour::default()).await;
    let said = "not authorized to perform: ssm:TerminateSession";
    world.aws.on(
        "ssm:TerminateSession",
        [Reply::error(400, "AccessDeniedException", said)],
    );
    drop(opened.unwrap());
    let left = world.tunnels.close(soon()).await;
    assert_eq!(left.len(), 1);
    assert!(
        left[0].contains("aws ssm terminate-session --region eu-west-1 --session-id build-"),
        "{left:?}"
    );
}

#[tokio::test]
async fn what_ssm_lists_of_an_agent_is_told_apart() {
    let world = World::new().await;
    let ssm = Ssm::new(&world.session, &world.dialer);
    for (listed, expected) in [
        (serde_json::json!([]), Ping::Unknown),
        (
            serde_json::json!([{"InstanceId": "i-1", "PingStatus": "ConnectionLost"}]),
            Ping::Not("ConnectionLost".to_owned()),
        ),
        (
            serde_json::json!([{"InstanceId": "i-1", "PingStatus": "Online"}]),
            Ping::Online,
        ),
    ] {
        let reply = Reply::json(&serde_json::json!({ "InstanceInformationList": listed }));
        world.aws.on("ssm:DescribeInstanceInformation", [reply]);
        assert_eq!(ssm.ping("i-1").await, Ok(expected));
    }
}

#[tokio::test]
async fn a_service_that_closes_every_connection_is_not_asked_for_ever() {
    let world = World::new().await;
    let behaviour = Behaviour {
        faults: Faults {
            cuts: vec![1; 100],
            ..Faults::default()
        },
        ..Behaviour::default()
    };
    let (agent, opened) = started(&world, &behaviour).await;
    let error = opened.err().unwrap();
    assert!(
        error.to_string().contains("could not be resumed"),
        "{error}"
    );
    assert!(agent.connections() <= 6, "{}", agent.connections());
    world.close().await;
}
