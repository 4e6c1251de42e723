#!/usr/bin/env bash
# cdk-from-cfn 0.336.0 turns a template into CDK code. The C# code has nothing of DeletionPolicy, and that for
# TypeScript and Python nothing of UpdateReplacePolicy; no warning says so. Its page has the deletion policy under
# "Implemented".
#
# Seen: what the code says of a bucket that is to be kept
#   typescript: DeletionPolicy
#   python: DeletionPolicy
#   java: DeletionPolicy, UpdateReplacePolicy (by a RemovalPolicy, which sets both)
#   csharp: nothing
#
# The code compiles and makes the same bucket. But whoever moved the stack to C# loses the bucket with the stack, and in
# TypeScript or Python with the next change that replaces it, although the template said twice that it is to be kept.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund cdk-from-cfn@0.336.0
cat >template.yml <<'YAML'
Resources:
  Records:
    Type: AWS::S3::Bucket
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
YAML
cat >look.js <<'JAVASCRIPT'
const { transmute } = require("cdk-from-cfn");
const template = require("node:fs").readFileSync("template.yml", "utf8");
const says = { DeletionPolicy: /deletion_?policy|removal_?policy/i, UpdateReplacePolicy: /update_?replace_?policy|removal_?policy/i };
const kept = {};
for (const language of ["typescript", "python", "java", "csharp"]) {
  const code = transmute(template, language, "App");
  kept[language] = Object.keys(says).filter((policy) => says[policy].test(code)).join(", ") || "nothing";
  console.log(`${language}: ${kept[language]}`);
  if (!/bucket/i.test(code)) throw new Error("there is no bucket");
}
const both = "DeletionPolicy, UpdateReplacePolicy";
const seen = { typescript: "DeletionPolicy", python: "DeletionPolicy", java: both, csharp: "nothing" };
if (JSON.stringify(kept) !== JSON.stringify(seen)) throw new Error("this has changed");
JAVASCRIPT
node look.js
