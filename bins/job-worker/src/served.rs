//! What the worker knows of the programs beyond what they say of themselves.

/// Work that takes so long that no job waits for it: it is started, then looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LongWork {
    /// The subcommand that starts it and ends at once.
    pub(crate) start: &'static str,
    /// The subcommand that waits for it and does what follows.
    pub(crate) wait: &'static str,
    /// The subcommand that removes what is in the making.
    pub(crate) clean: &'static str,
    /// The exported variable that names what is in the making.
    pub(crate) handle: &'static str,
    /// The setting that takes it. Where a user sets it, nothing is started.
    pub(crate) handle_setting: &'static str,
    /// The setting of what makes two tries one run.
    pub(crate) run_setting: &'static str,
    /// The setting that says what happens at the deadline, and its word for removing.
    pub(crate) at_deadline: (&'static str, &'static str, &'static str),
}

/// What an action of a program is in the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Served {
    /// The program.
    pub(crate) program: &'static str,
    /// The exported variable that names what was made; it becomes the external execution id.
    pub(crate) identity: &'static str,
    /// Where that is looked at. `${AWS::Region}` is CloudFormation's, `{ExternalExecutionId}` CodePipeline's.
    pub(crate) link: &'static str,
    /// The settings that are properties of the action type of their own; the rest goes into `Settings`.
    pub(crate) properties: &'static [&'static str],
    pub(crate) long: Option<LongWork>,
}

const MAKE_AMI: LongWork = LongWork {
    start: "start",
    wait: "wait",
    clean: "clean",
    handle: "AMI_ID",
    handle_setting: "MAKE_AMI_IMAGE",
    run_setting: "MAKE_AMI_RUN",
    at_deadline: ("MAKE_AMI_ON_TIMEOUT", "clean", "keep"),
};

/// The programs that make sense as an action.
pub(crate) const ALL: [Served; 3] = [
    Served {
        program: "make-ami",
        identity: "AMI_ID",
        link: "https://${AWS::Region}.console.aws.amazon.com/ec2/home?region=${AWS::Region}#ImageDetails:imageId={ExternalExecutionId}",
        properties: &[
            "INSTANCE_ID",
            "MAKE_AMI_INSTANCE_TAG",
            "AMI_NAME",
            "MAKE_AMI_APP",
            "MAKE_AMI_CONSISTENCY",
            "MAKE_AMI_TAG",
            "MAKE_AMI_KEEP",
            "MAKE_AMI_SHARE_WITH",
            "MAKE_AMI_TIMEOUT",
        ],
        long: Some(MAKE_AMI),
    },
    Served {
        program: "deploy-app",
        identity: "INSTANCE_ID",
        link: "https://${AWS::Region}.console.aws.amazon.com/ec2/home?region=${AWS::Region}#InstanceDetails:instanceId={ExternalExecutionId}",
        properties: &[
            "INSTANCE_ID",
            "DEPLOY_APP_INSTANCE_TAG",
            "DEPLOY_APP_SOURCE",
            "DEPLOY_APP_USER",
            "DEPLOY_APP_HEALTH_URL",
            "DEPLOY_APP_OLLAMA_MODEL",
            "DEPLOY_APP_TRANSPORT",
            "DEPLOY_APP_TIMEOUT",
        ],
        long: None,
    },
    Served {
        program: "export-vars",
        identity: "",
        link: "",
        properties: &[
            "EXPORT_VARS_VARIABLES",
            "EXPORT_VARS_FROM_MANIFEST",
            "EXPORT_VARS_FROM_JSON",
            "EXPORT_VARS_FROM_STACK",
            "EXPORT_VARS_FROM_SSM",
            "EXPORT_VARS_RENAME",
            "EXPORT_VARS_TEMPLATE",
            "EXPORT_VARS_ONLY",
        ],
        long: None,
    },
];

/// What is known of a program.
pub(crate) fn served(program: &str) -> Option<&'static Served> {
    ALL.iter().find(|one| one.program == program)
}

/// The long work of a program.
pub(crate) fn long_work(program: &str) -> Option<&'static LongWork> {
    served(program)?.long.as_ref()
}
