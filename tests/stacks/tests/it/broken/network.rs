//! The network, broken.

use super::Change;

const NETWORK: &str = "cfn/network.yml";

pub(super) const GUARDED: &[Change] = &[
    (
        "interface_endpoints_have_a_group",
        NETWORK,
        "PrivateDnsEnabled: true",
        "PrivateDnsEnabled: false",
    ),
    (
        "costs_have_tags",
        NETWORK,
        "        - {Key: Name, Value: !Sub '${AWS::StackName}-nat-1'}\n        - {Key: Project, Value: !Ref Project}\n",
        "        - {Key: Name, Value: !Sub '${AWS::StackName}-nat-1'}\n",
    ),
    (
        "resources_have_properties",
        NETWORK,
        "  InternetGateway:\n    Type: AWS::EC2::InternetGateway\n    Properties:\n      Tags:\n        - {Key: Name, Value: !Ref AWS::StackName}\n        - {Key: Project, Value: !Ref Project}\n        - {Key: Environment, Value: !Ref Environment}\n",
        "  InternetGateway:\n    Type: AWS::EC2::InternetGateway\n",
    ),
    (
        "roles_take_a_boundary",
        NETWORK,
        "      PermissionsBoundary: !If [HasPermissionsBoundary, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]\n",
        "",
    ),
];

pub(super) const RESOLVED: &[Change] = &[
    (
        "2 NAT gateways, not 1",
        NETWORK,
        "!And [{Condition: IsProd}, !Equals [!Ref NatGateways, by-environment]]",
        "!Equals [!Ref NatGateways, by-environment]",
    ),
    (
        "1 NAT gateways, not 2",
        NETWORK,
        "  IsProd: !Equals [!Ref Environment, prod]",
        "  IsProd: !Equals [!Ref Environment, none]",
    ),
    (
        "way out",
        NETWORK,
        "NatGatewayId: !If [HasNatPerZone, !Ref NatGateway2, !Ref NatGateway1]",
        "NatGatewayId: !Ref NatGateway1",
    ),
    (
        "zone of PrivateSubnet2",
        NETWORK,
        "AvailabilityZone: !Select [1, !GetAZs '']",
        "AvailabilityZone: !Select [0, !GetAZs '']",
    ),
    (
        "endpoints is",
        NETWORK,
        "${AWS::Region}.ssmmessages",
        "${AWS::Region}.sqs",
    ),
    (
        "tunnel endpoints is",
        NETWORK,
        "    Type: AWS::EC2::InstanceConnectEndpoint\n    Condition: HasInstanceConnectEndpoint\n",
        "    Type: AWS::EC2::InstanceConnectEndpoint\n",
    ),
    (
        "tunnel endpoints when switched on",
        NETWORK,
        "!Equals [!Ref InstanceConnectEndpoint, 'yes']",
        "!Equals [!Ref InstanceConnectEndpoint, 'on']",
    ),
    (
        "its subnet is",
        NETWORK,
        "      SubnetId: !Ref PrivateSubnet1\n      SecurityGroupIds: [!GetAtt InstanceConnectSecurityGroup.GroupId]",
        "      SubnetId: !Ref PublicSubnet1\n      SecurityGroupIds: [!GetAtt InstanceConnectSecurityGroup.GroupId]",
    ),
    (
        "where its group goes",
        NETWORK,
        "          FromPort: 22\n",
        "          FromPort: 0\n",
    ),
    (
        "flow logs is",
        NETWORK,
        "    Type: AWS::EC2::FlowLog\n    Condition: HasFlowLogs\n",
        "    Type: AWS::EC2::FlowLog\n",
    ),
    (
        "addresses for them",
        NETWORK,
        "    Type: AWS::EC2::EIP\n    Condition: HasNatPerZone\n",
        "    Type: AWS::EC2::EIP\n    Condition: HasNat\n",
    ),
    (
        "public addresses is",
        NETWORK,
        "MapPublicIpOnLaunch: true",
        "MapPublicIpOnLaunch: false",
    ),
    (
        "endpoints without",
        NETWORK,
        "  SsmEndpoint:\n    Type: AWS::EC2::VPCEndpoint\n    Condition: HasEndpoints\n",
        "  SsmEndpoint:\n    Type: AWS::EC2::VPCEndpoint\n",
    ),
    (
        "kind of the S3 endpoint",
        NETWORK,
        "VpcEndpointType: Gateway",
        "VpcEndpointType: Interface",
    ),
    (
        "who reaches it",
        NETWORK,
        "      RouteTableIds:\n        - !Ref PublicRouteTable\n",
        "      RouteTableIds:\n",
    ),
    (
        "flow logs when switched on",
        NETWORK,
        "HasFlowLogs: !Equals [!Ref FlowLogs, 'yes']",
        "HasFlowLogs: !Equals [!Ref FlowLogs, 'on']",
    ),
    (
        "what they log",
        NETWORK,
        "TrafficType: ALL",
        "TrafficType: REJECT",
    ),
    (
        "whose is",
        NETWORK,
        "ResourceId: !Ref Vpc",
        "ResourceId: !Ref PublicSubnet1",
    ),
    (
        "role is",
        NETWORK,
        "DeliverLogsPermissionArn: !GetAtt FlowLogRole.Arn",
        "DeliverLogsPermissionArn: !Ref FlowLogRole",
    ),
];
