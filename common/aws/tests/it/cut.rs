//! Answers that end early although their framing is whole, at every byte.

use std::error::Error;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::error::{AwsError, Kind};
use aws::limit::Limit;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;
use harness::{FakeAws, Fate, Reply};
use tokio::time::Instant;

use crate::calls;

/// A fake that answers whatever it is asked with the reply of the moment.
struct Cutter {
    _fake: FakeAws,
    reply: Arc<Mutex<Reply>>,
}

impl Cutter {
    fn new() -> (Self, SdkConfig) {
        let fake = FakeAws::offline();
        let reply = Arc::new(Mutex::new(Reply::empty(200)));
        let now = Arc::clone(&reply);
        fake.intercept(move |_| Fate::Answered(now.lock().unwrap().clone()));
        let limit = Limit::until(Instant::now() + Duration::from_secs(3600));
        let config = calls::once(&fake, &limit);
        (Self { _fake: fake, reply }, config)
    }

    fn answers(&self, status: u16, body: &[u8]) {
        *self.reply.lock().unwrap() = Reply::bytes(body).status(status);
    }

    /// Cuts the answer and an error everywhere: only the whole answer is one. The SDK may say itself
    /// that nothing is no answer.
    async fn cut<T, E>(
        &self,
        (whole, error): (&str, &str),
        ask: impl AsyncFn() -> Result<T, SdkError<E, Response>>,
        read: impl Fn(T) -> String,
        expected: &str,
    ) where
        T: Debug,
        E: ProvideErrorMetadata + Error + 'static,
    {
        for end in 0..whole.len() {
            self.answers(200, &whole.as_bytes()[..end]);
            let met = ask().await.expect_err(&whole[..end]);
            let met = AwsError::of(&met);
            let is_none = end == 0 && met.kind == Kind::Nonsense;
            assert!(
                met.kind == Kind::Lost || is_none,
                "{met}: {:?}",
                &whole[..end]
            );
            assert_eq!((&met.code, met.status), (&None, Some(200)));
            // What came may be a secret.
            let value = whole.find(expected).filter(|at| at + 6 < end);
            let told = met.to_string();
            let shown = value.is_some_and(|at| told.contains(&whole[at..at + 6]));
            assert!(expected.is_empty() || !shown, "{told}");
        }
        self.answers(200, whole.as_bytes());
        assert_eq!(read(ask().await.unwrap()), expected);
        for end in 1..error.len() {
            self.answers(400, &error.as_bytes()[..end]);
            let met = AwsError::of(&ask().await.unwrap_err());
            assert_eq!((met.kind, &met.code), (Kind::Lost, &None), "{met}");
        }
        self.answers(400, error.as_bytes());
        let met = AwsError::of(&ask().await.unwrap_err());
        assert!(met.is("Throttling"), "{met}");
    }
}

const EC2_ERROR: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>Throttling</Code>\
    <Message>Rate exceeded</Message></Error></Errors><RequestID>r-1</RequestID></Response>";
const QUERY_ERROR: &str = "<ErrorResponse xmlns=\"http://x/\"><Error><Type>Sender</Type><Code>Throttling</Code>\
    <Message>Rate exceeded</Message></Error><RequestId>r-1</RequestId></ErrorResponse>";
const S3_ERROR: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>Throttling</Code>\
    <Message>Rate exceeded</Message><RequestId>r-1</RequestId></Error>";
const JSON_ERROR: &str = r#"{"__type":"Throttling","message":"Rate exceeded"}"#;

#[tokio::test]
async fn ec2() {
    let (cutter, config) = Cutter::new();
    let client = aws_sdk_ec2::Client::new(&config);
    let whole = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CreateImageResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
        <requestId>r-1</requestId><imageId>ami-0123456789abcdef0</imageId></CreateImageResponse>";
    let ask = async || {
        client
            .create_image()
            .instance_id("i-1")
            .name("n")
            .send()
            .await
    };
    let id = "ami-0123456789abcdef0";
    let read =
        |reply: aws_sdk_ec2::operation::create_image::CreateImageOutput| reply.image_id.unwrap();
    cutter.cut((whole, EC2_ERROR), ask, read, id).await;
    let whole = "<DescribeImagesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><imagesSet><item><imageId>ami-1</imageId>\
        <blockDeviceMapping><item><ebs><snapshotId>snap-1</snapshotId></ebs></item><item><ebs><snapshotId>snap-2</snapshotId></ebs>\
        </item></blockDeviceMapping></item><item><imageId>ami-2</imageId></item></imagesSet></DescribeImagesResponse>\n";
    let whole = whole.trim_end();
    let ask = async || client.describe_images().send().await;
    let read = |reply: aws_sdk_ec2::operation::describe_images::DescribeImagesOutput| {
        let images = reply.images();
        let volumes = images[0].block_device_mappings().len();
        format!("{} images, {volumes} volumes", images.len())
    };
    let expected = "2 images, 2 volumes";
    cutter.cut((whole, EC2_ERROR), ask, read, expected).await;
    // An answer that the SDK does not read at all.
    let whole = "<DeleteSnapshotResponse xmlns=\"http://x/\"><return>true</return></DeleteSnapshotResponse>";
    let ask = async || client.delete_snapshot().snapshot_id("snap-1").send().await;
    cutter
        .cut((whole, EC2_ERROR), ask, |_| String::new(), "")
        .await;
}

#[tokio::test]
async fn cloudformation() {
    let (cutter, config) = Cutter::new();
    let client = aws_sdk_cloudformation::Client::new(&config);
    let whole = "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult><Stacks>\
        <member><StackName>net</StackName><CreationTime>2026-11-30T06:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>\
        <Outputs><member><OutputKey>VpcId</OutputKey><OutputValue>vpc-0123456789abcdef0</OutputValue></member><member><OutputKey>Url</OutputKey>\
        <OutputValue>https://app.example.org/path</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult>\
        <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></DescribeStacksResponse>";
    let ask = async || client.describe_stacks().send().await;
    let read = |reply: aws_sdk_cloudformation::operation::describe_stacks::DescribeStacksOutput| {
        let outputs = reply.stacks()[0].outputs().iter();
        let values = outputs.map(|output| output.output_value().unwrap());
        values.collect::<Vec<_>>().join(" ")
    };
    let expected = "vpc-0123456789abcdef0 https://app.example.org/path";
    cutter.cut((whole, QUERY_ERROR), ask, read, expected).await;
    let whole = "<SignalResourceResponse xmlns=\"http://x/\"><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></SignalResourceResponse>";
    let ask = async || {
        let call = client
            .signal_resource()
            .stack_name("s")
            .logical_resource_id("g");
        let status = aws_sdk_cloudformation::types::ResourceSignalStatus::Success;
        call.unique_id("i-1").status(status).send().await
    };
    cutter
        .cut((whole, QUERY_ERROR), ask, |_| String::new(), "")
        .await;
}

#[tokio::test]
async fn auto_scaling() {
    let (cutter, config) = Cutter::new();
    let client = aws_sdk_autoscaling::Client::new(&config);
    let whole = "<DescribeAutoScalingInstancesResponse xmlns=\"http://x/\"><DescribeAutoScalingInstancesResult><AutoScalingInstances>\
        <member><AutoScalingGroupName>g</AutoScalingGroupName><LifecycleState>Pending:Wait</LifecycleState></member>\
        </AutoScalingInstances></DescribeAutoScalingInstancesResult></DescribeAutoScalingInstancesResponse>";
    let ask = async || {
        let call = client.describe_auto_scaling_instances();
        call.instance_ids("i-1").send().await
    };
    let read = |reply: aws_sdk_autoscaling::operation::describe_auto_scaling_instances::DescribeAutoScalingInstancesOutput| {
        let instances = reply.auto_scaling_instances().iter();
        let states = instances.map(|instance| instance.lifecycle_state().unwrap().to_owned());
        states.collect::<Vec<_>>().join(" ")
    };
    let expected = "Pending:Wait";
    cutter.cut((whole, QUERY_ERROR), ask, read, expected).await;
    let whole = "<CompleteLifecycleActionResponse xmlns=\"http://x/\"><CompleteLifecycleActionResult/>\
        <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></CompleteLifecycleActionResponse>";
    let complete = async || {
        let call = client
            .complete_lifecycle_action()
            .auto_scaling_group_name("g");
        let call = call.lifecycle_hook_name("h").instance_id("i-1");
        call.lifecycle_action_result("CONTINUE").send().await
    };
    cutter
        .cut((whole, QUERY_ERROR), complete, |_| String::new(), "")
        .await;
}

#[tokio::test]
async fn elastic_load_balancing() {
    let (cutter, config) = Cutter::new();
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&config);
    let whole = "<DescribeTargetHealthResponse xmlns=\"http://x/\"><DescribeTargetHealthResult><TargetHealthDescriptions><member>\
        <TargetHealth><State>healthy</State></TargetHealth></member><member><TargetHealth><State>unhealthy</State></TargetHealth></member>\
        </TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>";
    let ask = async || {
        client
            .describe_target_health()
            .target_group_arn("a")
            .send()
            .await
    };
    let read = |reply: aws_sdk_elasticloadbalancingv2::operation::describe_target_health::DescribeTargetHealthOutput| {
        let targets = reply.target_health_descriptions().iter();
        let states = targets.map(|target| target.target_health().unwrap().state().unwrap().to_string());
        states.collect::<Vec<_>>().join(" ")
    };
    let expected = "healthy unhealthy";
    cutter.cut((whole, QUERY_ERROR), ask, read, expected).await;
}

#[tokio::test]
async fn sts() {
    let (cutter, config) = Cutter::new();
    let client = aws_sdk_sts::Client::new(&config);
    let whole = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
        <AccessKeyId>ASIA1234</AccessKeyId><SecretAccessKey>wJalrXUtnFEMI</SecretAccessKey><SessionToken>AQoDYXdzEPT</SessionToken>\
        <Expiration>2030-11-30T06:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
    let ask = async || {
        let call = client.assume_role().role_arn("arn:aws:iam::1:role/r");
        call.role_session_name("s").send().await
    };
    let read = |reply: aws_sdk_sts::operation::assume_role::AssumeRoleOutput| {
        let credentials = reply.credentials.unwrap();
        format!(
            "{} {} {}",
            credentials.access_key_id, credentials.secret_access_key, credentials.session_token
        )
    };
    let expected = "ASIA1234 wJalrXUtnFEMI AQoDYXdzEPT";
    cutter.cut((whole, QUERY_ERROR), ask, read, expected).await;
}

/// S3 has answers without a body, so that an empty one is the SDK's to refuse.
#[tokio::test]
async fn s3() {
    let (cutter, config) = Cutter::new();
    let client = aws_sdk_s3::Client::new(&config);
    let whole = "\n \n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
        <Status>Enabled</Status><MfaDelete>Disabled</MfaDelete></VersioningConfiguration>";
    let ask = async || client.get_bucket_versioning().bucket("b").send().await;
    for end in 0..whole.len() {
        cutter.answers(200, &whole.as_bytes()[..end]);
        let met = AwsError::of(&ask().await.unwrap_err());
        let expected = match whole[..end].trim().is_empty() {
            true => Kind::Nonsense,
            false => Kind::Lost,
        };
        assert_eq!(met.kind, expected, "{met}: {:?}", &whole[..end]);
    }
    let read = |reply: aws_sdk_s3::operation::get_bucket_versioning::GetBucketVersioningOutput| {
        reply.status.unwrap().to_string()
    };
    cutter
        .cut((whole.trim_start(), S3_ERROR), ask, read, "Enabled")
        .await;
    // While S3 works on it, it sends blanks; what fails then comes with 200.
    let ask = async || {
        let call = client.complete_multipart_upload().bucket("b").key("k");
        call.upload_id("u").send().await
    };
    let whole = "  \n<?xml version=\"1.0\"?>\n\n  <CompleteMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
        <ETag>&quot;3858f62230ac3c915f300c664312c11f-9&quot;</ETag></CompleteMultipartUploadResult>";
    for end in whole.find('<').unwrap() + 1..whole.len() {
        cutter.answers(200, &whole.as_bytes()[..end]);
        let met = AwsError::of(&ask().await.unwrap_err());
        assert_eq!(met.kind, Kind::Lost, "{met}: {:?}", &whole[..end]);
    }
}

#[tokio::test]
async fn the_objects_of_s3_are_data_and_its_empty_answers_are_answers() {
    let (cutter, config) = Cutter::new();
    let client = aws_sdk_s3::Client::new(&config);
    let template = "<Report><Sum>1";
    cutter.answers(200, template.as_bytes());
    let object = client.get_object().bucket("b").key("report.xml").send();
    let body = object.await.unwrap().body.collect().await.unwrap();
    assert_eq!(body.into_bytes(), template);
    cutter.answers(404, &S3_ERROR.as_bytes()[..70]);
    let missing = client
        .get_object()
        .bucket("b")
        .key("report.xml")
        .send()
        .await;
    assert_eq!(AwsError::of(&missing.unwrap_err()).kind, Kind::Lost);
    cutter.answers(200, b"");
    let put = client.put_object().bucket("b").key("k");
    put.body(ByteStream::from_static(b"x"))
        .send()
        .await
        .unwrap();
    client
        .head_object()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap();
    cutter.answers(204, b"");
    client
        .delete_object()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn the_services_that_answer_json() {
    let (cutter, config) = Cutter::new();
    let ssm = aws_sdk_ssm::Client::new(&config);
    let whole = r#"{"Parameter":{"Name":"/a","Type":"String","Value":"ami-0123456789abcdef0","Version":3}}"#;
    let read = |reply: aws_sdk_ssm::operation::get_parameter::GetParameterOutput| {
        reply.parameter.unwrap().value.unwrap()
    };
    let ask = async || ssm.get_parameter().name("/a").send().await;
    let id = "ami-0123456789abcdef0";
    cutter.cut((whole, JSON_ERROR), ask, read, id).await;
    let whole = r#"{"InvalidParameters":[],"Parameters":[{"Name":"/a","Value":"1"},{"Name":"/b","Value":"2"}]}"#;
    let read = |reply: aws_sdk_ssm::operation::get_parameters::GetParametersOutput| {
        reply.parameters().len().to_string()
    };
    let ask = async || ssm.get_parameters().names("/a").send().await;
    cutter.cut((whole, JSON_ERROR), ask, read, "2").await;

    let secrets = aws_sdk_secretsmanager::Client::new(&config);
    let whole = r#"{"ARN":"arn:x","Name":"key","SecretString":"-----BEGIN"}"#;
    let ask = async || secrets.get_secret_value().secret_id("key").send().await;
    let read =
        |reply: aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput| {
            reply.secret_string.unwrap()
        };
    cutter
        .cut((whole, JSON_ERROR), ask, read, "-----BEGIN")
        .await;

    let codebuild = aws_sdk_codebuild::Client::new(&config);
    let whole = r#"{"builds":[{"id":"b:1","buildStatus":"IN_PROGRESS"}],"buildsNotFound":[]}"#;
    let ask = async || codebuild.batch_get_builds().ids("b:1").send().await;
    let read = |reply: aws_sdk_codebuild::operation::batch_get_builds::BatchGetBuildsOutput| {
        reply.builds()[0].build_status().unwrap().to_string()
    };
    cutter
        .cut((whole, JSON_ERROR), ask, read, "IN_PROGRESS")
        .await;

    let codepipeline = aws_sdk_codepipeline::Client::new(&config);
    let whole = r#"{"pipeline":{"name":"p","roleArn":"arn:r","stages":[{"name":"Source","actions":[]}],"version":1}}"#;
    let ask = async || codepipeline.get_pipeline().name("p").send().await;
    let read = |reply: aws_sdk_codepipeline::operation::get_pipeline::GetPipelineOutput| {
        reply.pipeline.unwrap().stages.len().to_string()
    };
    cutter.cut((whole, JSON_ERROR), ask, read, "1").await;

    let kms = aws_sdk_kms::Client::new(&config);
    let whole = r#"{"KeyMetadata":{"KeyId":"k-1","KeyState":"Enabled"}}"#;
    let ask = async || kms.describe_key().key_id("k-1").send().await;
    let read = |reply: aws_sdk_kms::operation::describe_key::DescribeKeyOutput| {
        reply.key_metadata.unwrap().key_state.unwrap().to_string()
    };
    cutter.cut((whole, JSON_ERROR), ask, read, "Enabled").await;

    let ebs = aws_sdk_ebs::Client::new(&config);
    let whole = r#"{"BlockSize":524288,"ChangedBlocks":[{"BlockIndex":0},{"BlockIndex":7}],"VolumeSize":8}"#;
    let ask = async || {
        ebs.list_changed_blocks()
            .second_snapshot_id("snap-2")
            .send()
            .await
    };
    let read = |reply: aws_sdk_ebs::operation::list_changed_blocks::ListChangedBlocksOutput| {
        reply.changed_blocks().len().to_string()
    };
    let restful = r#"{"code":"Throttling","message":"Rate exceeded"}"#;
    cutter.cut((whole, restful), ask, read, "2").await;

    let connect = aws_sdk_ec2instanceconnect::Client::new(&config);
    let whole = r#"{"RequestId":"r-1","Success":true}"#;
    let ask = async || {
        let call = connect.send_ssh_public_key().instance_id("i-1");
        call.instance_os_user("u").ssh_public_key("k").send().await
    };
    let read = |reply: aws_sdk_ec2instanceconnect::operation::send_ssh_public_key::SendSshPublicKeyOutput| {
        reply.success.to_string()
    };
    cutter.cut((whole, JSON_ERROR), ask, read, "true").await;
}

/// CodePipeline answers these with nothing; whatever else comes is not CodePipeline's.
#[tokio::test]
async fn a_web_page_in_place_of_an_answer_is_never_believed() {
    let (cutter, config) = Cutter::new();
    let jobs = aws_sdk_codepipeline::Client::new(&config);
    let report = async || jobs.put_job_success_result().job_id("j-1").send().await;
    cutter.answers(200, b"");
    report().await.unwrap();
    let page = b"<!DOCTYPE html>\n<html><body>log in first</body></html>";
    cutter.answers(200, page);
    let met = AwsError::of(&report().await.unwrap_err());
    assert_eq!(met.kind, Kind::Nonsense, "{met}");
    let ec2 = aws_sdk_ec2::Client::new(&config);
    let deleted = ec2.delete_snapshot().snapshot_id("snap-1").send().await;
    let met = AwsError::of(&deleted.unwrap_err());
    assert_eq!((met.kind, met.status), (Kind::Nonsense, Some(200)));
    assert!(met.to_string().contains("log in first"), "{met}");
}

/// A whole document of the wrong kind reaches nobody as the SDK's own debug text.
#[tokio::test]
async fn another_document_is_told_in_words() {
    let (cutter, config) = Cutter::new();
    let client = aws_sdk_cloudformation::Client::new(&config);
    cutter.answers(200, b"<Welcome><To x=\"1\"/></Welcome>");
    let met = AwsError::of(&client.describe_stacks().send().await.unwrap_err());
    assert_eq!(met.kind, Kind::Nonsense);
    let text = met.to_string();
    assert!(
        text.contains("<Welcome>") && !text.contains("StartEl"),
        "{text}"
    );
}
