#!/usr/bin/env bash
# moto 5.2.5: an Auto Scaling group launches from the version of the launch template that it is told, and then says of
# each instance that it is of version 1: in DescribeAutoScalingGroups, DescribeAutoScalingInstances and the instance's
# own tag.
#
# Seen:
#   the instance has the image of version 2: True
#   the group says: 1
#   DescribeAutoScalingInstances says: 1
#   the tag aws:ec2launchtemplate:version says: 1
#
# With AWS all three name the version that was launched. A deployment that asks whether any instance is still of the old
# version, to end its wait or to go on with the next, never sees the new one here.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || :; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'moto[server]==5.2.5' boto3==1.44.5
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listens() { for _ in {1..300}; do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.2; done; exit 1; }
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true
moto=$(free_port)
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$moto" >"$work/moto.log" 2>&1 & pids+=($!)
listens "$moto"
export ENDPOINT=http://127.0.0.1:$moto
"$work/venv/bin/python" - <<'PYTHON'
import os, sys
import boto3

ec2, groups = (boto3.client(one, endpoint_url=os.environ["ENDPOINT"]) for one in ("ec2", "autoscaling"))
old, new = sorted(image["ImageId"] for image in ec2.describe_images(Owners=["amazon"])["Images"])[:2]
subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
template = ec2.create_launch_template(
    LaunchTemplateName="app", LaunchTemplateData={"ImageId": old, "InstanceType": "t3.micro"}
)["LaunchTemplate"]["LaunchTemplateId"]
ec2.create_launch_template_version(
    LaunchTemplateId=template, LaunchTemplateData={"ImageId": new, "InstanceType": "t3.micro"}
)
groups.create_auto_scaling_group(
    AutoScalingGroupName="app",
    MinSize=1,
    MaxSize=1,
    VPCZoneIdentifier=subnet,
    LaunchTemplate={"LaunchTemplateId": template, "Version": "2"},
)
member = groups.describe_auto_scaling_groups(AutoScalingGroupNames=["app"])["AutoScalingGroups"][0]["Instances"][0]
ids = [member["InstanceId"]]
instance = ec2.describe_instances(InstanceIds=ids)["Reservations"][0]["Instances"][0]
is_new = instance["ImageId"] == new
said = member["LaunchTemplate"]["Version"]
also = groups.describe_auto_scaling_instances(InstanceIds=ids)["AutoScalingInstances"][0]["LaunchTemplate"]["Version"]
tag = {one["Key"]: one["Value"] for one in instance["Tags"]}["aws:ec2launchtemplate:version"]
print("the instance has the image of version 2:", is_new)
print("the group says:", said)
print("DescribeAutoScalingInstances says:", also)
print("the tag aws:ec2launchtemplate:version says:", tag)
sys.exit(0 if is_new and (said, also, tag) == ("1", "1", "1") else "this has changed")
PYTHON
