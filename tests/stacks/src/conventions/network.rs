//! `network.yml`: what is made in which environment.

use std::path::Path;

use serde_json::{Value, json};

use crate::faults::Faults;
use crate::stack::Stack;

pub(super) fn look(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    let network = Stack::load(folder, "network.yml")?;
    nat(&network, faults)?;
    faults.at("network.yml");
    zones(&network, faults)?;
    endpoints(&network, faults)?;
    instance_connect(&network, faults)?;
    flow_logs(&network, faults)
}

fn nat(network: &Stack, faults: &mut Faults) -> Result<(), String> {
    for (values, gateways) in [
        (&[("Environment", "dev")][..], 1),
        (&[("Environment", "staging")], 1),
        (&[("Environment", "prod")], 2),
        (&[("Environment", "prod"), ("NatGateways", "one")], 1),
        (&[("Environment", "dev"), ("NatGateways", "per-zone")], 2),
        (&[("Environment", "prod"), ("NatGateways", "none")], 0),
    ] {
        faults.at(format!("network.yml {values:?}"));
        let stack = network.with(values);
        let found = stack.ids("AWS::EC2::NatGateway")?.len();
        faults.unless(
            found == gateways,
            format!("{found} NAT gateways, not {gateways}"),
        );
        let addresses = stack.ids("AWS::EC2::EIP")?.len();
        faults.unless(
            addresses == gateways,
            format!("{addresses} addresses for them"),
        );
        if gateways == 0 {
            continue;
        }
        // A zone's way out is in the zone itself where it has one.
        let own = [
            "NatGateway1",
            if gateways == 2 {
                "NatGateway2"
            } else {
                "NatGateway1"
            },
        ];
        for (route, gateway) in ["PrivateRoute1", "PrivateRoute2"].into_iter().zip(own) {
            let route = stack.properties(route)?;
            faults.equal("way out", &route["NatGatewayId"], gateway);
        }
    }
    Ok(())
}

fn zones(network: &Stack, faults: &mut Faults) -> Result<(), String> {
    for kind in ["Public", "Private"] {
        for (number, zone) in [(1, "zone-1"), (2, "zone-2")] {
            let subnet = network.properties(&format!("{kind}Subnet{number}"))?;
            faults.equal(
                format!("zone of {kind}Subnet{number}"),
                &subnet["AvailabilityZone"],
                zone,
            );
            let public = if kind == "Public" {
                json!(true)
            } else {
                Value::Null
            };
            faults.equal("public addresses", &subnet["MapPublicIpOnLaunch"], public);
        }
    }
    Ok(())
}

fn endpoints(network: &Stack, faults: &mut Faults) -> Result<(), String> {
    let services = |stack: &Stack| {
        let mut services = Vec::new();
        for id in stack.ids("AWS::EC2::VPCEndpoint")? {
            let endpoint = stack.properties(&id)?;
            let name = endpoint["ServiceName"].as_str().unwrap_or_default();
            services.push(name.rsplit('.').next().unwrap_or_default().to_owned());
        }
        Ok::<_, String>(json!(services))
    };
    let all = json!(["s3", "ssm", "ssmmessages", "ec2messages", "cloudformation"]);
    faults.equal("endpoints", &services(network)?, all);
    let without = network.with(&[("Endpoints", "no")]);
    faults.equal("endpoints without", &services(&without)?, json!(["s3"]));
    let s3 = network.properties("S3Endpoint")?;
    faults.equal("kind of the S3 endpoint", &s3["VpcEndpointType"], "Gateway");
    let tables = json!([
        "PublicRouteTable",
        "PrivateRouteTable1",
        "PrivateRouteTable2"
    ]);
    faults.equal("who reaches it", &s3["RouteTableIds"], tables);
    Ok(())
}

fn instance_connect(network: &Stack, faults: &mut Faults) -> Result<(), String> {
    let kind = "AWS::EC2::InstanceConnectEndpoint";
    faults.equal("tunnel endpoints", &json!(network.ids(kind)?), json!([]));
    let on = network.with(&[("InstanceConnectEndpoint", "yes")]);
    faults.equal(
        "tunnel endpoints when switched on",
        &json!(on.ids(kind)?),
        json!(["InstanceConnect"]),
    );
    let endpoint = on.properties("InstanceConnect")?;
    faults.equal("its subnet", &endpoint["SubnetId"], "PrivateSubnet1");
    let group = on.properties("InstanceConnectSecurityGroup")?;
    let out = &group["SecurityGroupEgress"][0];
    let ports = json!([out["FromPort"], out["ToPort"]]);
    faults.equal("where its group goes", &ports, json!(["22", "22"]));
    Ok(())
}

fn flow_logs(network: &Stack, faults: &mut Faults) -> Result<(), String> {
    let kind = "AWS::EC2::FlowLog";
    faults.equal("flow logs", &json!(network.ids(kind)?), json!([]));
    let on = network.with(&[("FlowLogs", "yes")]);
    faults.equal(
        "flow logs when switched on",
        &json!(on.ids(kind)?),
        json!(["FlowLog"]),
    );
    let log = on.properties("FlowLog")?;
    faults.equal("what they log", &log["TrafficType"], "ALL");
    faults.equal("whose", &log["ResourceId"], "Vpc");
    faults.equal("role", &log["DeliverLogsPermissionArn"], "FlowLogRole.Arn");
    Ok(())
}
