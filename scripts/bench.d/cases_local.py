"""package-template, export-vars and run-pipeline beside archivers, jq, a shell and cfn-lint, on files alone."""
import json
import os
import shutil
import sys
import zipfile

import inputs
from case import Goal, Method, case
from measure import need
from services import ROOT

# The command line of Python's zipfile compresses at zlib's own level, 6, as `zip` and package-template do. 7z's levels are
# others: 1 is its fastest, and compresses less than these.
ARCHIVERS = {
    "zip -r": ["zip", "-q", "-r", None, "."],
    "7z -mx=1": ["7z", "a", "-tzip", "-mx=1", "-bd", "-bso0", None, "."],
    "7z": ["7z", "a", "-tzip", "-bd", "-bso0", None, "."],
    "python": [sys.executable, "-m", "zipfile", "-c", None, "."],
}


def archives(bench, tree, names):
    """package-template and these archivers over one tree. Each result is opened, and its files counted."""
    files = sum(len(found) for _, _, found in os.walk(tree))
    shutil.copy(ROOT / "cfn/network.yml", bench.work / "network.yml")

    def method(name, command, more):
        archive = bench.work / f"{name.replace(' ', '')}.zip"

        def before(run):
            archive.unlink(missing_ok=True)

        def after(run, sample):
            with zipfile.ZipFile(archive) as opened:
                found = sum(not one.is_dir() for one in opened.infolist())
            if found != files + more:
                raise RuntimeError(f"{archive} holds {found} files, not {files + more}")
            sample.extra["size"] = archive.stat().st_size

        return Method(name, [archive if word is None else word for word in command], before, after, env=bench.env, cwd=tree)

    ours = [bench.ours("package-template"), bench.work / "network.yml", ".=app", "--output", None, "--export-file", bench.work / "exports"]
    return [method("package-template", ours, 1)] + [method(name, ARCHIVERS[name], 0) for name in names]


@case(
    "package-tree", "package-template", "an archive of a mixed tree of 80 MB",
    # 7z's own fastest level is shown, and is no goal: it compresses less.
    goals=[Goal("wall", name, 1 / 2) for name in ("zip -r", "7z", "python")] + [Goal("size", "zip -r", 1)],
    limit="On two cores, two of them compress side by side, and that is all there is to win: zlib-rs at level 6 takes as much CPU "
          "for a byte as the others",
)
def package_tree(bench):
    need("zip", "7z")
    inputs.mixed_tree(bench.work / "tree")
    return archives(bench, bench.work / "tree", list(ARCHIVERS))


@case(
    "package-small", "package-template", "an archive of 10,000 small files",
    goals=[Goal("wall", "zip -r", 1 / 2), Goal("size", "zip -r", 1)],
    limit="On two cores, two of them compress side by side; each file is read twice, once for the digest that decides whether there "
          "is anything to do",
)
def package_small(bench):
    need("zip")
    inputs.small_files(bench.work / "tree", 10_000)
    return archives(bench, bench.work / "tree", ["zip -r"])


@case(
    "package-upload", "package-template", "one template, checked, packed and uploaded to S3", runs=7,
    goals=[Goal("wall", "zip, aws s3 cp", 1 / 15)],
    limit="Most of it are moto's answers: the bucket is looked at before it is written to, so that nothing is uploaded twice or over another's work",
)
def package_upload(bench):
    need("zip")
    moto = bench.moto()
    template = ROOT / "cfn/app.yml"
    env = bench.env | moto.env()

    def before(run):
        moto.reset()
        s3 = moto.client("s3")
        s3.create_bucket(Bucket="bench", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
        s3.put_bucket_versioning(Bucket="bench", VersioningConfiguration={"Status": "Enabled"})
        (bench.work / "template.zip").unlink(missing_ok=True)

    def after(run, sample):
        if moto.client("s3").list_objects_v2(Bucket="bench")["KeyCount"] != 1:
            raise RuntimeError("the bucket does not hold one object")

    script = 'zip -q -j template.zip "$1" && aws s3 cp --only-show-errors template.zip s3://bench/template.zip'
    return [
        Method("package-template", [bench.ours("package-template"), template, "--bucket", "bench", "--export-file",
                                    bench.work / "exports"], before, after, env=env, cwd=bench.work),
        Method("zip, aws s3 cp", ["sh", "-c", script, "sh", template], before, after, cwd=bench.work,
               env=env | {"PATH": f"{bench.peer('')}:{bench.env['PATH']}"}),
    ]


LAMBDA = """\
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Code: code
      Handler: index.handler
      Role: arn:aws:iam::123456789012:role/function
      Runtime: python3.13
"""


@case(
    "package-assets", "package-template", "a template with the code of a Lambda function, both uploaded; the other uploads the code alone",
    runs=7, goals=[Goal("wall", "aws cloudformation package", 1 / 15)],
)
def package_assets(bench):
    moto = bench.moto()
    env = bench.env | moto.env()
    (bench.work / "code").mkdir()
    (bench.work / "code/index.py").write_text("def handler(event, context):\n    return {}\n" * 50)
    (bench.work / "template.yml").write_text(LAMBDA)

    def before(run):
        moto.reset()
        s3 = moto.client("s3")
        s3.create_bucket(Bucket="bench", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
        s3.put_bucket_versioning(Bucket="bench", VersioningConfiguration={"Status": "Enabled"})

    def after(run, sample):
        if moto.client("s3").list_objects_v2(Bucket="bench")["KeyCount"] < 1:
            raise RuntimeError("the bucket is empty")

    return [
        Method("package-template", [bench.ours("package-template"), "template.yml", "--bucket", "bench", "--export-file",
                                    bench.work / "exports"], before, after, env=env, cwd=bench.work),
        Method("aws cloudformation package", [bench.peer("aws"), "cloudformation", "package", "--template-file", "template.yml",
                                              "--s3-bucket", "bench", "--output-template-file", "packaged.yml"],
               before, after, env=env, cwd=bench.work),
    ]


@case(
    "export-vars", "export-vars", "1,000 values out of a JSON file, checked and quoted for a shell", runs=25,
    limit="Each value is looked through for secrets and for what a consumer would drop, which the others do not do; the start of the "
          "program is a third of it",
    goals=[Goal("wall", "jq", 1 / 2), Goal("wall", "bash loop", 1 / 2)],
)
def export_vars(bench):
    need("jq", "bash")
    values = inputs.values(1000)
    wanted = [f"export {name}='" + value.replace("'", "'\\''") + "'" for name, value in values.items()]
    source, lines = bench.work / "values.json", bench.work / "values.env"
    source.write_text(json.dumps(values))
    lines.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    to = bench.work / "exports"
    loop = """while IFS='=' read -r name value; do printf "export %s='%s'\\n" "$name" "${value//\\'/\\'\\\\\\'\\'}"; done <"$1" >"$2\""""
    program = 'to_entries[] | "export \\(.key)=\\(.value|@sh)"'

    def before(run):
        to.unlink(missing_ok=True)

    def after(run, sample):
        if to.read_text().splitlines() != wanted:
            raise RuntimeError(f"{to} is not what it should be")

    return [
        Method("export-vars", [bench.ours("export-vars"), "--from-json", f"{source}#", "--export-file", to], before, after, env=bench.env),
        Method("jq", ["sh", "-c", 'jq -r "$1" "$2" >"$3"', "sh", program, source, to], before, after, env=bench.env),
        Method("bash loop", ["bash", "-c", loop, "bash", lines, to], before, after, env=bench.env),
    ]


ITEMS = 200


@case(
    "items", "run-pipeline", f"a buildspec of {ITEMS} commands", goals=[Goal("item", "sh -c", over=0.005)],
    limit="An item runs as CodeBuild runs it: a shell reads the environment that the item before left, starts `cat` for the folder, and "
          "saves both again",
)
def items(bench):
    source = bench.work / "source"
    source.mkdir()
    spec = ["version: 0.2", "phases:", "  build:", "    commands:", *["      - 'true'"] * ITEMS]
    (source / "buildspec.yml").write_text("\n".join(spec) + "\n")
    (bench.work / "commands").write_text("sh -c true\n" * ITEMS)

    def after(run, sample):
        sample.extra["item"] = sample.wall / ITEMS

    return [
        Method("run-pipeline", [bench.ours("run-pipeline"), "buildspec", source / "buildspec.yml", "--source", source],
               after=after, env=bench.env, cwd=bench.work),
        Method("sh -c", ["sh", bench.work / "commands"], after=after, env=bench.env),
    ]


def public_templates(bench):
    """The templates that cfn-lint's own tests call good or complain about."""
    root = bench.build / "public-templates/test/fixtures/templates"
    if not root.is_dir():
        sys.exit("bench: there are no public templates; run: scripts/setup validators")
    kinds = {".yaml", ".yml", ".json", ".template"}
    folders = [root / name for name in ("good", "issues", "public", "quickstart")]
    found = [path for folder in folders for path in folder.rglob("*") if path.suffix in kinds and path.is_file()]
    return root, sorted(found)


def checks(bench, folder):
    # Each ends with another code when it finds something, as it does in these.
    lint = ["sh", "-c", 'cfn_lint=$1; cd "$2"; exec "$cfn_lint" -- *', "sh", bench.build / "venv/bin/cfn-lint", folder]
    return [
        Method("run-pipeline check", [bench.ours("run-pipeline"), "check", "."], env=bench.env, cwd=folder, codes=(0, 1)),
        Method("cfn-lint", lint, env=bench.env, codes=range(32)),
    ]


@case(
    "check-thousand", "run-pipeline", "the contract check of 1,000 templates in one process; cfn-lint looks at every property, too",
    runs=3, goals=[Goal("wall", "cfn-lint", 1 / 50)],
)
def check_thousand(bench):
    _, templates = public_templates(bench)
    folder = bench.work / "templates"
    folder.mkdir()
    for n in range(1000):
        source = templates[n % len(templates)]
        shutil.copy(source, folder / f"{n:04}{source.suffix}")
    return checks(bench, folder)


@case(
    "check-one", "run-pipeline", "the contract check of one template, from start to end of the process",
    goals=[Goal("wall", "cfn-lint", 1 / 50)],
)
def check_one(bench):
    root, _ = public_templates(bench)
    folder = bench.work / "templates"
    folder.mkdir()
    shutil.copy(root / "quickstart/nat-instance.json", folder / "template.json")
    return checks(bench, folder)
