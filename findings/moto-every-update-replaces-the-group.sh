#!/usr/bin/env bash
# moto 5.2.5: an Auto Scaling group of a stack gets another MaxSize. moto deletes the group and makes a new one: another
# name, other instances. The stack says UPDATE_COMPLETE.
#
# Seen:
#   the stack: UPDATE_COMPLETE
#   the same group: False
#   the instance of before is in it: False
#
# CloudFormation changes MaxSize without interruption ("Update requires: No interruption"), so the group and its
# instances stay. A test that an update keeps what runs fails here, and one that it replaces it passes for the wrong reason.
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
import json, os, sys
import boto3

stacks, groups, ec2 = (boto3.client(one, endpoint_url=os.environ["ENDPOINT"]) for one in ("cloudformation", "autoscaling", "ec2"))
image = sorted(image["ImageId"] for image in ec2.describe_images(Owners=["amazon"])["Images"])[0]
template = lambda most: json.dumps({"Resources": {
    "Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {
        "LaunchTemplateData": {"ImageId": image, "InstanceType": "t3.micro"}}},
    "Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {
        "MinSize": "1", "MaxSize": most, "AvailabilityZones": ["eu-west-1a"],
        "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}, "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]}}}},
}})
stacks.create_stack(StackName="app", TemplateBody=template("1"))
before = groups.describe_auto_scaling_groups()["AutoScalingGroups"][0]
stacks.update_stack(StackName="app", TemplateBody=template("2"))
status = stacks.describe_stacks(StackName="app")["Stacks"][0]["StackStatus"]
after = groups.describe_auto_scaling_groups()["AutoScalingGroups"][0]
same = after["AutoScalingGroupName"] == before["AutoScalingGroupName"]
ids = lambda group: {one["InstanceId"] for one in group["Instances"]}
kept = bool(ids(before) & ids(after))
print("the stack:", status)
print("the same group:", same)
print("the instance of before is in it:", kept)
sys.exit(0 if (status, same, kept, after["MaxSize"]) == ("UPDATE_COMPLETE", False, False, 2) else "this has changed")
PYTHON
