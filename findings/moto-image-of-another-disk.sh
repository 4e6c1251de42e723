#!/usr/bin/env bash
# moto 5.2.5: the image that CreateImage makes of an instance does not describe the instance's disk. A root volume of 8 GiB,
# gp2, becomes 15 GiB, standard; and RootDeviceType is "standard", so that the filter root-device-type=ebs, which moto
# itself takes for other images, does not find it.
#
# Seen:
#   the instance: 8 GiB gp2 on an ebs root
#   its image: 15 GiB standard on a standard root
#   own images with an ebs root: 0
#
# EC2 gives the image a snapshot of the volume with its size and type, and "ebs". What a pipeline computes from an image
# (cost, the size of the next root volume, whether every volume is in it) cannot be tested with these numbers.
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
export MOTO=http://127.0.0.1:$moto
"$work/venv/bin/python" - <<'PYTHON'
import os, sys
import boto3

ec2 = boto3.client("ec2", endpoint_url=os.environ["MOTO"])
ebs = {"Name": "root-device-type", "Values": ["ebs"]}
base = ec2.describe_images(Filters=[ebs])["Images"][0]["ImageId"]
instance = ec2.run_instances(ImageId=base, MinCount=1, MaxCount=1)["Instances"][0]
attached = {"Name": "attachment.instance-id", "Values": [instance["InstanceId"]]}
disk = ec2.describe_volumes(Filters=[attached])["Volumes"][0]
print(f"the instance: {disk['Size']} GiB {disk['VolumeType']} on an {instance['RootDeviceType']} root")
made = ec2.create_image(InstanceId=instance["InstanceId"], Name="made")["ImageId"]
image = ec2.describe_images(ImageIds=[made])["Images"][0]
copy = image["BlockDeviceMappings"][0]["Ebs"]
print(f"its image: {copy['VolumeSize']} GiB {copy['VolumeType']} on a {image['RootDeviceType']} root")
found = ec2.describe_images(Owners=["self"], Filters=[ebs])["Images"]
print("own images with an ebs root:", len(found))
same = (disk["Size"], disk["VolumeType"]) == (copy["VolumeSize"], copy["VolumeType"])
sys.exit(0 if not same and image["RootDeviceType"] == "standard" and not found else "this has changed")
PYTHON
