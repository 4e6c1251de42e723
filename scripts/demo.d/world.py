"""What a user's account has before the first run, made in the demo's AWS; and the read-back after it.

usage: world.py make FOLDER     create it, write FOLDER/{world,pipeline,config}.json
       world.py prove FOLDER    read the deployed launch template and compare it with the AMI

The endpoint, region and credentials come from the environment, as for the programs.
"""
import json
import pathlib
import subprocess
import sys
import time

import boto3

ROOT = pathlib.Path(__file__).resolve().parents[2]


def client(service):
    return boto3.client(service)


def bucket(name, versioned):
    s3 = client("s3")
    region = s3.meta.region_name
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **where)
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def stack(name, template):
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=(ROOT / template).read_text())
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    outputs = cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def instance(subnet):
    ec2 = client("ec2")
    image = ec2.describe_images(Filters=[{"Name": "root-device-type", "Values": ["ebs"]}])["Images"][0]
    made = ec2.run_instances(
        ImageId=image["ImageId"], InstanceType="t3.medium", MinCount=1, MaxCount=1, SubnetId=subnet,
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "rag-app-build"}]}],
    )
    instance_id = made["Instances"][0]["InstanceId"]
    ec2.stop_instances(InstanceIds=[instance_id])
    for _ in range(60):
        state = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]["State"]["Name"]
        if state == "stopped":
            return instance_id
        time.sleep(1)
    sys.exit(f"world: instance {instance_id} is {state} and does not stop")


def certificate(folder):
    key, pem = folder / "listener.key", folder / "listener.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=rag-app.example",
         "-addext", "subjectAltName=DNS:rag-app.example", "-keyout", str(key), "-out", str(pem)],
        check=True, stderr=subprocess.DEVNULL,
    )
    made = client("acm").import_certificate(Certificate=pem.read_bytes(), PrivateKey=key.read_bytes())
    return made["CertificateArn"]


def configuration(path, values, extra=None):
    document = json.loads((ROOT / path).read_text())
    document["Parameters"].update(values)
    return document | (extra or {})


def make(folder):
    # An emulator that outlives the demo still has the names of earlier runs.
    run = f"demo-{time.time_ns() // 1_000_000:x}"
    app_stack = f"rag-app-{run}"
    network = stack(f"rag-network-{run}", "cfn/network.yml")
    source = bucket(f"rag-app-source-{run}", versioned=True)
    artifacts = bucket(f"rag-app-artifacts-{run}", versioned=True)
    instance_id = instance(network["PrivateSubnetId1"])
    config = configuration("cfn/config/dev.json", {
        "VPCId": network["VPCId"], "SubnetId1": network["SubnetId1"], "SubnetId2": network["SubnetId2"],
        "PrivateSubnetId1": network["PrivateSubnetId1"], "PrivateSubnetId2": network["PrivateSubnetId2"],
        "CertificateArn": certificate(folder),
    })
    host = json.loads((folder / "host.json").read_text())
    pipeline = configuration("cfn/config/pipeline-dev.json", {
        "SourceBucketName": source, "ArtifactBucketName": artifacts, "ReleaseBucketName": source,
        "InstanceId": instance_id, "SshUser": host["user"], "HostKey": host["host_key"], "AppStackName": app_stack,
        "AppVpcId": network["VPCId"],
        # Retention asks which images are in use, by calls that moto does not know.
        "KeepImages": "0",
    })
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "pipeline.json").write_text(json.dumps(pipeline, indent=2))
    (folder / "world.json").write_text(json.dumps({"bucket": source, "instance": instance_id, "stack": app_stack}))
    print(f"source bucket {source} (versioned), instance {instance_id} (stopped), stack rag-network-{run}")


def prove(folder):
    ami = json.loads((folder / "variables.json").read_text())["AMIcreation"]["AMI_ID"]
    app_stack = json.loads((folder / "world.json").read_text())["stack"]
    resources = client("cloudformation").describe_stack_resources(StackName=app_stack)["StackResources"]
    template = next(r["PhysicalResourceId"] for r in resources if r.get("ResourceType") == "AWS::EC2::LaunchTemplate")
    versions = client("ec2").describe_launch_template_versions(LaunchTemplateId=template, Versions=["$Latest"])
    found = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"]
    if found != ami:
        sys.exit(f"world: launch template {template} names {found}, but the AMI just made is {ami}")
    print(f"launch template {template} of stack {app_stack} names {found}: the AMI just made")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "prove"):
        sys.exit(__doc__)
    {"make": make, "prove": prove}[sys.argv[1]](pathlib.Path(sys.argv[2]))
