#!/usr/bin/env bash
# moto 5.2.5: after the last step of a rotation, UpdateSecretVersionStage of AWSCURRENT, GetSecretValue goes on to
# answer the old secret. Asked for AWSCURRENT by name, which is what it answers when no stage is named, it gives the new
# one.
#
# Seen:
#   the stages of the new version: AWSCURRENT, AWSPENDING
#   GetSecretValue: the old one
#   GetSecretValue of AWSCURRENT: the new one
#   GetSecretValue of AWSPREVIOUS: the old one
#
# Secrets Manager answers the version that holds AWSCURRENT both times. Whoever tests a rotation function, or a
# deployment that reads its secret after one, sees the old password and looks for a cache that is not there. ministack
# 1.5.33 answers the new one.
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

secrets = boto3.client("secretsmanager", endpoint_url=os.environ["ENDPOINT"])
before = secrets.create_secret(Name="app", SecretString="the old one")["VersionId"]
after = "0" * 31 + "1"
secrets.put_secret_value(
    SecretId="app", SecretString="the new one", ClientRequestToken=after, VersionStages=["AWSPENDING"]
)
secrets.update_secret_version_stage(
    SecretId="app", VersionStage="AWSCURRENT", MoveToVersionId=after, RemoveFromVersionId=before
)
stages = sorted(secrets.describe_secret(SecretId="app")["VersionIdsToStages"][after])
print("the stages of the new version:", ", ".join(stages))
plain = secrets.get_secret_value(SecretId="app")["SecretString"]
print("GetSecretValue:", plain)
current, previous = (
    secrets.get_secret_value(SecretId="app", VersionStage=stage)["SecretString"] for stage in ("AWSCURRENT", "AWSPREVIOUS")
)
print("GetSecretValue of AWSCURRENT:", current)
print("GetSecretValue of AWSPREVIOUS:", previous)
seen = "AWSCURRENT" in stages and (plain, current, previous) == ("the old one", "the new one", "the old one")
sys.exit(0 if seen else "this has changed")
PYTHON
