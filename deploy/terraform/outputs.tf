output "autoscaling_group_name" {
  description = "Name of the group."
  value       = aws_autoscaling_group.workers.name
}

output "worker_role_arn" {
  description = "Role of the machines, for policies of what check files post to."
  value       = aws_iam_role.worker.arn
}

output "results_policy_arn" {
  description = "Attach it to the role of the admins: the leading one puts what the group follows."
  value       = aws_iam_policy.results.arn
}

output "followed_metric" {
  description = "What the group follows, to look it up in CloudWatch."
  value = {
    namespace  = var.namespace
    name       = "watcher.scaling.${var.follow == "utilization" ? "capacity_utilization" : "desired_workers"}"
    dimensions = local.dimensions
  }
}
