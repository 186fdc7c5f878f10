# Workers of a pool as an autoscaling group that follows the load watcher publishes.
# What is around it (etcd, admins, network) is told in docs/deploy.md; nothing of this was ever applied.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40"
    }
  }
}

data "aws_region" "current" {}
