"""Ask an AWS emulator for what the demo needs, before the demo makes anything.

usage: needs.py     exit 0 when all is there; 2 with what is missing, a line each on stdout

The endpoint, region and credentials come from the environment, as for the programs. Calls name resources that do
not exist, so that an answer tells whether the call is known and changes nothing. One bucket is made, and removed again.
"""
import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError

INSTANCE, IMAGE, SUBNET = "i-0123456789abcdef0", "ami-0123456789abcdef0", "subnet-0123456789abcdef0"
NOWHERE = "demo-needs-no-such-stack"

# Service, operation, what it is asked with, and what the demo needs it for.
CALLS = [
    ("cloudformation", "describe_stacks", {"StackName": NOWHERE}, "the network and the application are stacks"),
    ("cloudformation", "update_stack", {"StackName": NOWHERE, "UsePreviousTemplate": True}, "run-pipeline deploys with it"),
    ("cloudformation", "describe_stack_events", {"StackName": NOWHERE}, "run-pipeline tells what a stack does"),
    ("cloudformation", "describe_stack_resources", {"StackName": NOWHERE}, "the result is read back with it"),
    ("acm", "list_certificates", {}, "the listener has a certificate"),
    # Wrong in two ways: some emulators launch what a dry run or an unknown subnet asks for.
    ("ec2", "run_instances", {"ImageId": IMAGE, "MinCount": 2, "MaxCount": 1, "SubnetId": SUBNET},
     "the application is built on an instance"),
    ("ec2", "describe_instances", {"InstanceIds": [INSTANCE]}, "deploy-app and make-ami look at the instance"),
    ("ec2", "stop_instances", {"InstanceIds": [INSTANCE]}, "the instance is stopped at first"),
    ("ec2", "start_instances", {"InstanceIds": [INSTANCE]}, "deploy-app starts the instance"),
    ("ec2", "describe_volumes", {"Filters": [{"Name": "attachment.instance-id", "Values": [INSTANCE]}]},
     "make-ami counts what the image must hold"),
    ("ec2", "create_image", {"InstanceId": INSTANCE, "Name": "demo-needs"}, "make-ami makes the image with it"),
    ("ec2", "describe_images", {"Owners": ["self"]}, "make-ami waits for the image"),
    ("ec2", "describe_snapshots", {"OwnerIds": ["self"]}, "make-ami proves the image's snapshots"),
    ("ec2", "describe_launch_template_versions", {"LaunchTemplateName": NOWHERE}, "the result is read back with it"),
]

# What a server says that does not know the call at all.
UNKNOWN = {"InvalidAction", "UnknownOperationException", "UnknownOperation", "NotImplemented", "InternalFailure", "501"}


def client(service):
    path_style = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=30)
    return boto3.client(service, config=path_style)


def knows(service, operation, arguments):
    try:
        getattr(client(service), operation)(**arguments)
    except ClientError as error:
        code, status = error.response["Error"].get("Code", ""), error.response["ResponseMetadata"]["HTTPStatusCode"]
        # A refusal with a code of AWS's is an answer to the call; a bare status is none.
        return status < 500 and code not in UNKNOWN and code != str(status)
    except ResponseParserError:
        return False
    return True


def versions():
    """What S3 lacks, seen on a bucket that is removed again."""
    s3, name = client("s3"), f"demo-needs-{time.time_ns() // 1_000_000:x}"
    region = s3.meta.region_name
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    lacks = []
    s3.create_bucket(Bucket=name, **where)
    try:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        if s3.get_bucket_versioning(Bucket=name).get("Status") != "Enabled":
            lacks.append("s3 buckets do not become versioned: a pipeline starts from versions")
        if not s3.put_object(Bucket=name, Key="probe", Body=b"probe", IfNoneMatch="*").get("VersionId"):
            lacks.append("s3 PutObject answers no version: package-template hands it on")
    finally:
        for version in s3.list_object_versions(Bucket=name).get("Versions", []):
            s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
        s3.delete_bucket(Bucket=name)
    return lacks


def main():
    lacks = []
    try:
        for service, operation, arguments, why in CALLS:
            if not knows(service, operation, arguments):
                words = "".join(word.capitalize() for word in operation.split("_"))
                lacks.append(f"{service} {words}: {why}")
        images = [{"Name": "root-device-type", "Values": ["ebs"]}]
        if not client("ec2").describe_images(Filters=images)["Images"]:
            lacks.append("an image with an EBS root device: the instance is launched from one")
        lacks += versions()
    except EndpointConnectionError:
        lacks = ["an answer: nothing listens there"]
    except (BotoCoreError, ClientError) as error:
        lacks.append(f"an answer that the AWS SDK for Python can use: {error}")
    print("\n".join(lacks), end="\n" if lacks else "")
    return 2 if lacks else 0


if __name__ == "__main__":
    if len(sys.argv) != 1 or not os.environ.get("AWS_ENDPOINT_URL"):
        sys.exit(__doc__)
    sys.exit(main())
