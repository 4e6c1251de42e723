#!/usr/bin/env bash
# ministack 1.5.33: a stopped instance keeps its public address, also after the next start, and its target group goes on
# to call it healthy.
#
# Seen:
#   the state: stopped, the public address is the same: True
#   as a target: healthy
#   after the next start the public address is the same: True
#
# EC2 takes the public address back when an instance stops and gives another at the start; the load balancer says
# `unused` with the reason Target.InvalidState. A deployment that starts its host and connects to the address that it
# looked up before works here, and on AWS reaches nothing or somebody else's machine. moto 5.2.5 takes the address back
# and says `unused`.
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

ec2, balancers = (boto3.client(one, endpoint_url=os.environ["ENDPOINT"]) for one in ("ec2", "elbv2"))
image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
ids = [ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]]


def instance():
    return ec2.describe_instances(InstanceIds=ids)["Reservations"][0]["Instances"][0]


vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
group = balancers.create_target_group(Name="app", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="instance")
arn = group["TargetGroups"][0]["TargetGroupArn"]
balancers.register_targets(TargetGroupArn=arn, Targets=[{"Id": ids[0]}])
address = instance()["PublicIpAddress"]
ec2.stop_instances(InstanceIds=ids)
ec2.get_waiter("instance_stopped").wait(InstanceIds=ids)
state, kept = instance()["State"]["Name"], instance().get("PublicIpAddress") == address
print(f"the state: {state}, the public address is the same: {kept}")
health = balancers.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"][0]["TargetHealth"]["State"]
print("as a target:", health)
ec2.start_instances(InstanceIds=ids)
ec2.get_waiter("instance_running").wait(InstanceIds=ids)
again = instance().get("PublicIpAddress") == address
print("after the next start the public address is the same:", again)
sys.exit(0 if (state, kept, health, again) == ("stopped", True, "healthy", True) else "this has changed")
PYTHON
