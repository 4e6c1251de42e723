#!/usr/bin/env bash
# ministack 1.5.33: launch templates have no effect. RunInstances with one launches another image of another type; an
# Auto Scaling group names instances that EC2 does not know; and an instance refresh is Successful at once, with the
# same instances.
#
# Seen:
#   RunInstances from the template: its image: False, its type: False
#   an instance of the group, asked of EC2: InvalidInstanceID.NotFound
#   the refresh: Successful, the instances are the same: True
#
# With AWS the instance has what the template says, and a refresh replaces each one. A deployment by launch template and
# refresh is green here without one new instance; and a step that takes an address from the group's instances cannot
# run.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || :; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check boto3==1.44.5
python3 -m venv "$work/venv-ministack" # It takes one version of botocore alone.
"$work/venv-ministack/bin/pip" install --quiet --no-compile --disable-pip-version-check ministack==1.5.33
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listens() { for _ in {1..300}; do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.2; done; exit 1; }
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true
ministack=$(free_port)
BIND_HOST=127.0.0.1 GATEWAY_PORT=$ministack TMPDIR=$work "$work/venv-ministack/bin/ministack" >"$work/ministack.log" 2>&1 & pids+=($!)
listens "$ministack"
export ENDPOINT=http://127.0.0.1:$ministack
"$work/venv/bin/python" - <<'PYTHON'
import os, sys
import boto3
from botocore.exceptions import ClientError

ec2, groups = (boto3.client(one, endpoint_url=os.environ["ENDPOINT"]) for one in ("ec2", "autoscaling"))
images = sorted(image["ImageId"] for image in ec2.describe_images(Owners=["amazon"])["Images"])
subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
plain = ec2.run_instances(ImageId=images[0], MinCount=1, MaxCount=1)["Instances"][0]
image = images[-1]
template = ec2.create_launch_template(
    LaunchTemplateName="app", LaunchTemplateData={"ImageId": image, "InstanceType": "m5.large"}
)["LaunchTemplate"]["LaunchTemplateId"]
launched = ec2.run_instances(LaunchTemplate={"LaunchTemplateId": template}, MinCount=1, MaxCount=1)["Instances"][0]
same = launched["ImageId"] == image, launched["InstanceType"] == "m5.large"
print(f"RunInstances from the template: its image: {same[0]}, its type: {same[1]}")
groups.create_auto_scaling_group(
    AutoScalingGroupName="app",
    MinSize=2,
    MaxSize=4,
    VPCZoneIdentifier=subnet,
    LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
)


def members():
    group = groups.describe_auto_scaling_groups(AutoScalingGroupNames=["app"])["AutoScalingGroups"][0]
    return sorted(one["InstanceId"] for one in group["Instances"])


before = members()
try:
    ec2.describe_instances(InstanceIds=before[:1])
    known = "known"
except ClientError as error:
    known = error.response["Error"]["Code"]
print("an instance of the group, asked of EC2:", known)
groups.start_instance_refresh(AutoScalingGroupName="app")
refresh = groups.describe_instance_refreshes(AutoScalingGroupName="app")["InstanceRefreshes"][0]["Status"]
print(f"the refresh: {refresh}, the instances are the same: {members() == before}")
seen = same == (False, False) and known == "InvalidInstanceID.NotFound" and refresh == "Successful" and members() == before
sys.exit(0 if seen and len(before) == 2 else "this has changed")
PYTHON
