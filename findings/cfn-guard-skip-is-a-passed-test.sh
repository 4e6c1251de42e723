#!/usr/bin/env bash
# cfn-guard 3.1.1 (3.2.1 alike) marks a rule that looked at nothing by status="skip" in its JUnit report. JUnit says so
# by the element <skipped>, and readers go by that: the rule is a passed test to them.
#
# Seen:
#   cfn-guard writes: topics.guard status="skip", queues.guard status="pass"
#   junitparser 5.0.3 reads: topics.guard passed, queues.guard passed; 2 tests, 0 skipped
#
# A rule skips where its selection is empty, also through a spelling mistake in its type. In a build's test report,
# where somebody would see it, it is as green as a rule that checked a hundred resources; only the JSON output tells
# them apart.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' >package.json
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check junitparser==5.0.3
# The package carries cfn-guard's own program; the rest of it, which needs the CDK, is not used.
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @cdklabs/cdk-validator-cfnguard@0.0.62
guard=node_modules/@cdklabs/cdk-validator-cfnguard/bin/ubuntu/$(uname -m)/cfn-guard
"$guard" --version
echo '{"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}}}}' >template.json
cat >topics.guard <<'GUARD'
let topics = Resources.*[ Type == 'AWS::SNS::Topic' ]
rule topics_have_a_name when %topics !empty { %topics.Properties.TopicName exists }
GUARD
cat >queues.guard <<'GUARD'
let queues = Resources.*[ Type == 'AWS::SQS::Queue' ]
rule queues_have_a_name when %queues !empty { %queues.Properties.QueueName exists }
GUARD
"$guard" validate --rules topics.guard --rules queues.guard --data template.json \
    --structured --output-format junit --show-summary none >report.xml
venv/bin/python - <<'PYTHON'
import sys
import xml.etree.ElementTree as xml
from junitparser import JUnitXml

written = {case.get("name"): case.get("status") for case in xml.parse("report.xml").iter("testcase")}
print("cfn-guard writes:", ", ".join(f'{name} status="{status}"' for name, status in written.items()))
report = JUnitXml.fromfile("report.xml")
read = {case.name: "skipped" if case.is_skipped else "passed" if case.is_passed else "failed" for suite in report for case in suite}
report.update_statistics()
print("junitparser reads:", ", ".join(f"{name} {result}" for name, result in read.items()), end="")
print(f"; {report.tests} tests, {report.skipped} skipped")
seen = written == {"topics.guard": "skip", "queues.guard": "pass"} and set(read.values()) == {"passed"}
sys.exit(0 if seen and report.skipped == 0 else "this has changed")
PYTHON
