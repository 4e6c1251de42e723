#!/usr/bin/env bash
# `aws cloudformation package` (awscli 1.46.3) and cfn-flip 1.3.0 write a quoted commit id such as "5738e10" without its
# quotes. yaml-cfn 0.3.2, an npm reader of CloudFormation's YAML, then reads a number.
#
# Seen: the default of a parameter that is "5738e10" in the template
#   aws cloudformation package writes 5738e10, which is read as 57380000000000
#   cfn-flip writes 5738e10, which is read as 57380000000000
#   yaml-cfn itself writes '5738e10'
#
# YAML 1.1 as Python reads it wants a dot in such a number, YAML 1.2 does not, so the writer sees no need for quotes and
# the reader makes 57380000000000 of it. One id of seven signs in about fifty has this form (digits, one e, digits):
# with an image tag for each commit, a pipeline of these two tools fails on some days only, with a tag that nobody
# pushed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' >package.json
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check awscli==1.46.3 cfn-flip==1.3.0
npm install --silent --no-audit --no-fund yaml-cfn@0.3.2 js-yaml@4.3.2
cat >template.yml <<'YAML'
Parameters:
  ImageTag:
    Type: String
    Default: "5738e10"
Resources:
  Topic:
    Type: AWS::SNS::Topic
YAML
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true
# There is nothing to upload in this template, so that nothing is called.
venv/bin/aws cloudformation package --template-file template.yml --s3-bucket unused --output-template-file package.yml >/dev/null
venv/bin/cfn-flip -j template.yml flip.json
venv/bin/cfn-flip -y flip.json flip.yml
cat >look.js <<'JAVASCRIPT'
const { readFileSync } = require("node:fs");
const { yamlParse, yamlDump } = require("yaml-cfn");
const written = (text) => /Default: (.*)/.exec(text)[1];
const seen = [];
for (const [tool, file] of [["aws cloudformation package", "package.yml"], ["cfn-flip", "flip.yml"]]) {
  const text = readFileSync(file, "utf8");
  const read = yamlParse(text).Parameters.ImageTag.Default;
  console.log(`${tool} writes ${written(text)}, which is read as ${read}`);
  seen.push(written(text), read);
}
const own = written(yamlDump(yamlParse(readFileSync("template.yml", "utf8"))));
console.log(`yaml-cfn itself writes ${own}`);
const expected = JSON.stringify(["5738e10", 57380000000000, "5738e10", 57380000000000, "'5738e10'"]);
if (JSON.stringify([...seen, own]) !== expected) throw new Error("this has changed");
JAVASCRIPT
node look.js
