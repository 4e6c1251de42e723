//! The application as containers, broken.

use super::Change;

const ECS: &str = "cfn/app-ecs.yml";

pub(super) const GUARDED: &[Change] = &[
    (
        "metadata_needs_a_token",
        ECS,
        "HttpTokens: required",
        "HttpTokens: optional",
    ),
    (
        "target_group_asks_collection",
        ECS,
        "      Port: 8001\n      HealthCheckProtocol",
        "      Port: 80\n      HealthCheckProtocol",
    ),
    (
        "instances_are_reached_by_systems_manager",
        ECS,
        "policy/AmazonSSMManagedInstanceCore",
        "policy/CloudWatchAgentServerPolicy",
    ),
];

pub(super) const RESOLVED: &[Change] = &[
    (
        "protocol is \"HTTP\"",
        ECS,
        "Protocol: !If [HasTls, HTTPS, HTTP]",
        "Protocol: HTTP",
    ),
    (
        "GPU of ollama",
        ECS,
        "{Type: GPU, Value: '1'}",
        "{Type: GPU, Value: '0'}",
    ),
    (
        "what is behind the load balancer",
        ECS,
        "{ContainerName: app, ContainerPort: 8001,",
        "{ContainerName: ollama, ContainerPort: 11434,",
    ),
    (
        "what ApplicationErrors looks at",
        ECS,
        "MetricName: HTTPCode_Target_5XX_Count",
        "MetricName: HTTPCode_Target_4XX_Count",
    ),
    (
        "port is \"443\"",
        ECS,
        "      Port: 8001\n      Protocol: !If",
        "      Port: 443\n      Protocol: !If",
    ),
    (
        "scheme is",
        ECS,
        "Scheme: internet-facing",
        "Scheme: internal",
    ),
    (
        "HealthCheckPath of the target group",
        ECS,
        "HealthCheckPath: /collection",
        "HealthCheckPath: /",
    ),
    (
        "ports of app",
        ECS,
        "PortMappings: [{ContainerPort: 8001,",
        "PortMappings: [{ContainerPort: 8000,",
    ),
    (
        "capacity is",
        ECS,
        "CapacityProviderStrategy: [{CapacityProvider: !Ref CapacityProvider, Weight: 1}]",
        "CapacityProviderStrategy: [{CapacityProvider: !Ref CapacityProvider, Weight: 2}]",
    ),
    (
        "roll-back of a bad deployment",
        ECS,
        "{Enable: true, Rollback: true}",
        "{Enable: true, Rollback: false}",
    ),
    (
        "how instances are replaced",
        ECS,
        "        MinInstancesInService: 1\n        MaxBatchSize: 1\n",
        "        MinInstancesInService: 0\n        MaxBatchSize: 2\n",
    ),
    (
        "draining of what is replaced",
        ECS,
        "ManagedDraining: ENABLED",
        "ManagedDraining: DISABLED",
    ),
    (
        "refused of [(\"CertificateArn\", \"\"), (\"PlainHttp\", \"yes\"), (\"Environment\", \"prod\")]",
        ECS,
        "    RuleCondition: !Equals [!Ref Environment, prod]",
        "    RuleCondition: !Equals [!Ref Environment, production]",
    ),
    (
        "ExecutionRole is assumed for",
        ECS,
        "ArnLike: {aws:SourceArn: !Sub 'arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:*'}",
        "ArnLike: {aws:SourceArn: '*'}",
    ),
    (
        "refused of [(\"PrivateSubnetId1\"",
        ECS,
        "  PrivateSubnetId1:\n    Type: AWS::EC2::Subnet::Id\n",
        "  PrivateSubnetId1:\n    Type: String\n",
    ),
];
