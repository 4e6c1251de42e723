"""make-ami, signal-health and job-worker beside AWS's command line and Packer, on one service on loopback."""
import json

import services
from case import Goal, Method, case
from measure import need


def instance(moto):
    """A running instance in an account that has nothing else."""
    moto.reset()
    ec2 = moto.client("ec2")
    image = ec2.describe_images(Filters=[{"Name": "root-device-type", "Values": ["ebs"]}])["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, InstanceType="t3.medium", MinCount=1, MaxCount=1)
    return image, made["Instances"][0]["InstanceId"]


def images(moto):
    """How many images the account made itself."""
    return len(moto.client("ec2").describe_images(Owners=["self"])["Images"])


def made_one(moto):
    def after(_, sample):
        if images(moto) != 1:
            raise RuntimeError(f"{images(moto)} images were made, not one")

    return after


def make_ami(bench, moto):
    method_env = bench.env | moto.env() | {"MAKE_AMI_SNAPSHOT_TAGS": "after"}

    def before(run):
        method.command[2] = instance(moto)[1]

    method = Method(
        "make-ami", [bench.ours("make-ami"), "--instance-id", None, "--export-file", bench.work / "exports"],
        before=before, after=made_one(moto), env=method_env,
    )
    return method


PROOF = ("`make-ami` makes thirteen calls: it looks for the image of an earlier try, counts the volumes, tags, and looks twice, half a "
         "second apart, before it calls the image available, since EC2's answers are consistent only in the end. The others believe "
         "the first look. That pause alone is longer than the goal; the CPU is that of the calls. Of the memory, most are pages of "
         "the program itself, which the kernel shares and takes back")


@case(
    "ami-aws", "make-ami", "an image of an instance, available at once", runs=7, limit=PROOF,
    goals=[Goal("wall", "aws", 1 / 30), Goal("cpu", "aws", 1 / 80), Goal("memory", "aws", 1 / 4)],
)
def ami_aws(bench):
    moto = bench.moto()
    script = ('id=$(aws ec2 create-image --instance-id "$1" --name bench --query ImageId --output text) '
              '&& aws ec2 wait image-available --image-ids "$id"')

    def before(run):
        aws.command[4] = instance(moto)[1]

    aws = Method("aws", ["sh", "-c", script, "sh", None], before=before, after=made_one(moto),
                 env=bench.env | moto.env() | {"PATH": f"{bench.peer('')}:{bench.env['PATH']}"})
    return [make_ami(bench, moto), aws]


@case(
    "ami-packer", "make-ami", "an image, on the same service; Packer also launches the instance and removes it", runs=7, limit=PROOF,
    goals=[Goal("wall", "packer", 1 / 2), Goal("memory", "packer", 1 / 8)],
)
def ami_packer(bench):
    need("packer")
    moto = bench.moto()
    template = bench.work / "packer.json"
    env = bench.env | moto.env() | {
        "CHECKPOINT_DISABLE": "1", "PACKER_CACHE_DIR": str(bench.work), "PACKER_CONFIG_DIR": str(bench.work),
    }

    def before(run):
        image, _ = instance(moto)
        template.write_text(json.dumps({"builders": [{
            "type": "amazon-ebs", "region": env["AWS_REGION"], "access_key": "bench", "secret_key": "bench",
            "custom_endpoint_ec2": moto.endpoint, "source_ami": image, "instance_type": "t3.medium",
            "communicator": "none", "ami_name": "bench", "skip_metadata_api_check": True, "skip_region_validation": True,
        }]}))

    packer = Method("packer", ["packer", "build", "-color=false", template], before=before, after=made_one(moto), env=env)
    return [make_ami(bench, moto), packer]


@case(
    "signal", "signal-health", "three good answers of an application, then a signal to CloudFormation", runs=7,
    goals=[Goal("cpu", "curl, aws", 1 / 20), Goal("memory", "curl, aws", 1 / 4)],
)
def signal(bench):
    need("curl")
    fake = bench.server("fake", services.Fake)
    env = bench.env | fake.env()
    script = ('n=0; while [ $n -lt 3 ]; do if curl -fsS -o /dev/null "$1"; then n=$((n + 1)); else n=0; fi; sleep 1; done; '
              "aws cloudformation signal-resource --stack-name app --logical-resource-id Group --unique-id i-0123456789abcdef0 "
              "--status SUCCESS")
    return [
        Method("signal-health", [bench.ours("signal-health"), "--stack", "app", "--resource", "Group", "--instance-id",
                                 "i-0123456789abcdef0", "--url", f"{fake.endpoint}/"], env=env),
        Method("curl, aws", ["sh", "-c", script, "sh", f"{fake.endpoint}/"],
               env=env | {"PATH": f"{bench.peer('')}:{bench.env['PATH']}"}),
    ]


@case(
    "poll", "job-worker", "asking CodePipeline for jobs once, when there are none", runs=5,
    goals=[Goal("poll", "aws", 1 / 80), Goal("memory", "aws", 1 / 4)],
)
def poll(bench):
    fake = bench.server("fake", services.Fake)
    env = bench.env | fake.env()
    kind = ["category=Build,owner=Custom,provider=MakeAmi,version=1"]

    def before(run):
        fake.polls = 0

    def after(run, sample):
        """Seconds of the processors for one poll. Start and end of the worker are shared by all of a run."""
        if fake.polls == 0:
            raise RuntimeError("nobody asked for jobs")
        sample.extra["poll"] = sample.cpu / fake.polls

    return [
        # It serves until it is told to end.
        Method("job-worker", ["timeout", "--signal=TERM", "12", bench.ours("job-worker"), "serve", "--program", "make-ami", "--program-dir", bench.programs,
                              "--provider", "MakeAmi", "--work-dir", bench.work / "jobs", "--poll-every", "1s"],
               before=before, after=after, env=env, codes=(124,)),
        Method("aws", [bench.peer("aws"), "codepipeline", "poll-for-jobs", "--action-type-id", *kind],
               before=before, after=after, env=env),
    ]
