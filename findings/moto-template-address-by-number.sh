#!/usr/bin/env bash
# moto 5.2.5: CloudFormation reads a template from moto's own S3 where the server is called localhost, and looks for another
# bucket where it is called 127.0.0.1. `aws cloudformation deploy --s3-bucket` of awscli 1.46.3, which a template of more than
# 51,200 bytes needs, makes the template's address of the endpoint: it has uploaded the template, and the change set fails.
#
# Seen:
#   by the name localhost: the change set is made
#   by the number 127.0.0.1: An error occurred (NoSuchBucket) when calling the CreateChangeSet operation: The specified bucket does not exist
#   uploaded all the same: 1
#
# AWS reads s3.REGION.amazonaws.com/BUCKET/KEY, and no other name occurs there. A test of a large template against moto has
# to call the server localhost.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || :; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'moto[server]==5.2.5'
# In an environment of its own: the two want different versions of botocore.
python3 -m venv "$work/cli"
"$work/cli/bin/pip" install --quiet --no-compile --disable-pip-version-check awscli==1.46.3
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listens() { for _ in {1..300}; do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.2; done; exit 1; }
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true
moto=$(free_port)
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$moto" >"$work/moto.log" 2>&1 & pids+=($!)
listens "$moto"
cat >"$work/template.yml" <<'YAML'
Resources:
  Topic: {Type: 'AWS::SNS::Topic'}
YAML
# deploy HOST: the template by way of the bucket templates-HOST.
deploy() {
  local host=$1 bucket=templates-${1//./-}
  export AWS_ENDPOINT_URL="http://$host:$moto"
  "$work/cli/bin/aws" s3 mb "s3://$bucket" >"$work/mb"
  "$work/cli/bin/aws" cloudformation deploy --stack-name "stack-${host//./-}" --template-file "$work/template.yml" \
    --s3-bucket "$bucket" --no-execute-changeset 2>&1 | tr '\r' '\n'
}
named=$(deploy localhost)
numbered=$(deploy 127.0.0.1) || :
uploaded=$("$work/cli/bin/aws" --endpoint-url "http://localhost:$moto" s3 ls s3://templates-127-0-0-1 | wc -l)
case $named in *'Changeset created successfully'*) echo "by the name localhost: the change set is made" ;; *) echo "$named"; exit 1 ;; esac
echo "by the number 127.0.0.1: $(grep -o 'An error occurred.*' <<<"$numbered" || echo "$numbered")"
echo "uploaded all the same: $uploaded"
if [[ $numbered != *NoSuchBucket* ]] || [ "$uploaded" -ne 1 ]; then
  echo "this has changed" >&2
  exit 1
fi
