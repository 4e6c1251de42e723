//! The small Systems Manager, asked by the AWS SDK.

use aws_sdk_ssm::types::ParameterType;
use harness::FakeAws;
use harness::ssm::{ImageCheck, Invocation, Ssm};

use crate::sdk;

const INSTANCE: &str = "i-0123456789abcdef0";

fn served() -> (FakeAws, Ssm, aws_sdk_ssm::Client) {
    let (fake, ssm) = (FakeAws::offline(), Ssm::new());
    ssm.serve(&fake);
    let client = aws_sdk_ssm::Client::new(&sdk::config(&fake, "eu-west-1"));
    (fake, ssm, client)
}

async fn send(client: &aws_sdk_ssm::Client, instance: &str) -> Result<String, String> {
    let lines = vec!["sync".to_owned(), "echo done".to_owned()];
    let send = client.send_command().instance_ids(instance);
    let send = send.document_name("AWS-RunShellScript");
    match send.parameters("commands", lines).send().await {
        Ok(sent) => Ok(sent.command.unwrap().command_id.unwrap()),
        failed => Err(sdk::code(failed)),
    }
}

#[tokio::test]
async fn a_command_is_absent_pending_in_progress_and_then_ends() {
    let (fake, ssm, client) = served();
    ssm.slow_commands(1, 1, 2);
    ssm.on_command(|script, instance| {
        assert_eq!(instance, INSTANCE);
        (3, script.to_uppercase(), "oops")
    });
    let id = send(&client, INSTANCE).await.unwrap();
    let read = || {
        client
            .get_command_invocation()
            .command_id(&id)
            .instance_id(INSTANCE)
            .send()
    };
    assert_eq!(sdk::code(read().await), "InvocationDoesNotExist");
    let mut states = Vec::new();
    for _ in 0..3 {
        states.push(read().await.unwrap().status.unwrap().to_string());
    }
    assert_eq!(states, ["Pending", "InProgress", "InProgress"]);
    let ended = read().await.unwrap();
    assert_eq!(ended.status().unwrap().as_str(), "Failed");
    assert_eq!(ended.response_code(), 3);
    assert_eq!(ended.standard_output_content(), Some("SYNC\nECHO DONE"));
    assert_eq!(ended.standard_error_content(), Some("oops"));
    assert_eq!(ssm.sent()[0].script, "sync\necho done");
    fake.assert_all_scripted();
}

#[tokio::test]
async fn a_command_may_time_out_be_cancelled_or_find_no_agent() {
    let (_fake, ssm, client) = served();
    ssm.on_command(|_, _| Invocation::without_code("TimedOut"));
    ssm.slow_commands(0, 0, 0);
    let status = |id: String| {
        let read = client.get_command_invocation().command_id(id);
        let read = read.instance_id(INSTANCE);
        async { read.send().await.unwrap().status.unwrap().to_string() }
    };
    let id = send(&client, INSTANCE).await.unwrap();
    assert_eq!(status(id).await, "TimedOut");
    ssm.slow_commands(0, 0, 9);
    let id = send(&client, INSTANCE).await.unwrap();
    assert_eq!(status(id.clone()).await, "InProgress");
    client
        .cancel_command()
        .command_id(&id)
        .send()
        .await
        .unwrap();
    assert_eq!(status(id).await, "Cancelled");
    ssm.without_agent(INSTANCE);
    assert_eq!(
        send(&client, INSTANCE).await,
        Err("InvalidInstanceId".to_owned())
    );
    assert_eq!(ssm.sent().len(), 2);
}

async fn put(client: &aws_sdk_ssm::Client, value: &str, overwrite: bool) -> Result<i64, String> {
    let put = client.put_parameter().name("/web/ami").value(value);
    let put = put.r#type(ParameterType::String).data_type("aws:ec2:image");
    match put.overwrite(overwrite).send().await {
        Ok(put) => Ok(put.version()),
        failed => Err(sdk::code(failed)),
    }
}

async fn get(client: &aws_sdk_ssm::Client, name: &str) -> Result<(String, i64), String> {
    match client.get_parameter().name(name).send().await {
        Ok(found) => {
            let found = found.parameter.unwrap();
            assert_eq!(found.data_type(), Some("aws:ec2:image"));
            Ok((found.value().unwrap().to_owned(), found.version()))
        }
        failed => Err(sdk::code(failed)),
    }
}

const ONE: &str = "ami-00000000000000001";
const TWO: &str = "ami-00000000000000002";

#[tokio::test]
async fn parameters_have_versions_and_are_overwritten_only_when_asked() {
    let (_fake, ssm, client) = served();
    assert_eq!(
        get(&client, "/web/ami").await,
        Err("ParameterNotFound".to_owned())
    );
    assert_eq!(put(&client, ONE, false).await, Ok(1));
    assert_eq!(
        put(&client, TWO, false).await,
        Err("ParameterAlreadyExists".to_owned())
    );
    assert_eq!(put(&client, TWO, true).await, Ok(2));
    assert_eq!(get(&client, "/web/ami").await, Ok((TWO.to_owned(), 2)));
    assert_eq!(get(&client, "/web/ami:1").await, Ok((ONE.to_owned(), 1)));
    assert_eq!(
        put(&client, "not-an-image", true).await,
        Err("ValidationException".to_owned())
    );
    assert_eq!(ssm.parameter("/web/ami").unwrap().value, TWO);
}

#[tokio::test]
async fn an_image_is_checked_after_the_answer() {
    let (_fake, ssm, client) = served();
    put(&client, ONE, false).await.unwrap();
    ssm.image_check(ImageCheck::PassesAfter(2));
    put(&client, TWO, true).await.unwrap();
    let old = Ok((ONE.to_owned(), 1));
    assert_eq!(get(&client, "/web/ami").await, old);
    assert_eq!(get(&client, "/web/ami").await, old);
    let new = Ok((TWO.to_owned(), 2));
    assert_eq!(get(&client, "/web/ami").await, new);
    ssm.image_check(ImageCheck::Fails);
    put(&client, ONE, true).await.unwrap();
    for _ in 0..5 {
        assert_eq!(get(&client, "/web/ami").await, new);
    }
}
