"""Where what ``osls package`` makes and what the bootstrap makes differ, and why.

Everything else is the same: types, properties, the order, the packaged files.
"""

from __future__ import annotations

from typing import Final

#: What a deployment through CloudFormation needs and a local stack does not, unless it uses one:
#: Lambda@Edge uses versions, and the bootstrap makes those.
DEPLOYMENT_ONLY_TYPES: Final = ("AWS::Lambda::Version",)
DEPLOYMENT_ONLY_IDS: Final = (
    # Packages are uploaded there for CloudFormation.
    "ServerlessDeploymentBucket",
    "ServerlessDeploymentBucketPolicy",
    # Functions that set triggers of existing user pools and buckets: the bootstrap does it itself.
    "CustomDashresourceDashexistingDashcupLambdaFunction",
    "CustomDashresourceDashexistingDashs3LambdaFunction",
    "IamRoleCustomResourcesLambdaExecution",
)

#: Outputs there, and resources here: no stack of CloudFormation keeps them.
MADE_HERE_ONLY: Final = ("Custom::Export",)

#: Properties that differ, by resource type.
NOT_COMPARED: Final = {
    # A folder here, an object in S3 there; the packaged files are compared on their own.
    "AWS::Lambda::Function": {"Code"},
    "AWS::Lambda::LayerVersion": {"Content"},
    "AWS::Lambda::Version": {"CodeSha256"},
    # AWS's own defaults, written out; and tags that only a bill reads.
    "AWS::ApiGatewayV2::Stage": {"DefaultRouteSettings", "Tags"},
    "AWS::IAM::Role": {"Path"},
    # osls writes it for streams with a consumer alone, and AWS refuses AT_TIMESTAMP without it.
    "AWS::Lambda::EventSourceMapping": {"StartingPositionTimestamp"},
    # The function that does it on AWS.
    # ForceDeploy is the time of packaging, so that AWS runs that function again: each run here
    # looks at what there is.
    "Custom::CognitoUserPool": {"ServiceToken", "ForceDeploy"},
    "Custom::S3": {"ServiceToken", "ForceDeploy"},
    # osls sets it through the API after the deployment.
    "AWS::ApiGateway::Deployment": {"StageDescription"},
}
