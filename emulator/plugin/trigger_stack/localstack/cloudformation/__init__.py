"""CloudFormation: resource types that LocalStack lacks, and none that is only said to be made."""
