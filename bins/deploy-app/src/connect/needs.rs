//! What each transport needs of the build and of the instance.

use crate::settings::Transport;

/// What each transport needs, for the page.
pub const NEEDS: [Needs; 3] = [
    Needs {
        transport: Transport::Direct,
        permissions: &[],
        build: "a route to port 22 of the instance: in its VPC, or to its public address",
        instance: "a security group that lets the build's address or group reach port 22",
    },
    Needs {
        transport: Transport::Eic,
        permissions: &[
            "ec2:DescribeInstanceConnectEndpoints",
            "ec2-instance-connect:OpenTunnel",
        ],
        build: "HTTPS, also through a proxy, to `ec2.REGION.amazonaws.com` and `*.ec2-instance-connect-endpoint.REGION.amazonaws.com`",
        instance: "an endpoint in its VPC, and a security group that lets the endpoint's group reach port 22; no way out, no agent",
    },
    Needs {
        transport: Transport::Ssm,
        permissions: &[
            "ssm:StartSession",
            "ssmmessages:OpenDataChannel",
            "ssm:ResumeSession",
            "ssm:TerminateSession",
            "kms:GenerateDataKey",
        ],
        build: "HTTPS, also through a proxy, to `ssm.REGION.amazonaws.com` and `ssmmessages.REGION.amazonaws.com`",
        instance: "the SSM agent, a role with AmazonSSMManagedInstanceCore, HTTPS to `ssm` and `ssmmessages` by NAT or interface endpoints; no open port",
    },
];

/// What the build's role needs where a release goes through a bucket. The host reads with the build's permission, by an
/// address that is signed with it.
pub(crate) const BUCKET_PERMISSIONS: [&str; 3] =
    ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"];

/// What a transport needs.
#[derive(Debug)]
pub struct Needs {
    /// Which one.
    pub transport: Transport,
    /// IAM actions of the build's role, beside those that every deployment to an instance uses.
    pub permissions: &'static [&'static str],
    /// The build's network.
    pub build: &'static str,
    /// The instance and its network.
    pub instance: &'static str,
}

/// The table of the page.
pub fn page() -> String {
    let rows = NEEDS.iter().map(|needs| {
        let actions: Vec<String> = needs
            .permissions
            .iter()
            .map(|one| format!("`{one}`"))
            .collect();
        let actions = match actions.is_empty() {
            true => "none of its own".to_owned(),
            false => actions.join(", "),
        };
        let Needs {
            transport,
            build,
            instance,
            ..
        } = needs;
        format!("| `{transport}` | {actions} | {build} | {instance} |\n")
    });
    let head = "| transport | IAM actions of the build | the build's network | the instance |\n|---|---|---|---|\n";
    let bucket = BUCKET_PERMISSIONS.map(|one| format!("`{one}`")).join(", ");
    let bucket = format!(
        "| `ssm` with DEPLOY_APP_TRANSFER_BUCKET | also {bucket}, on `arn:aws:s3:::BUCKET/deploy-app/*` | also HTTPS to S3 | also HTTPS to S3, and curl or wget; it needs no permission for the bucket |\n"
    );
    let auto = "| `auto` | those of all, and `ssm:DescribeInstanceInformation`; a missing one leaves out that way, with a log line | any of these | any of these |\n";
    format!("{head}{}{bucket}{auto}", rows.collect::<String>())
}

/// The IAM actions that a transport uses.
pub(crate) fn permissions(wanted: Transport) -> Vec<&'static str> {
    let needs = NEEDS.iter();
    let of_it = needs.filter(|needs| wanted == Transport::Auto || needs.transport == wanted);
    let look = (wanted == Transport::Auto).then_some("ssm:DescribeInstanceInformation");
    of_it
        .flat_map(|needs| needs.permissions.iter().copied())
        .chain(look)
        .collect()
}
