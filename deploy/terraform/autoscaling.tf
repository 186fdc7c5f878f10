locals {
  drain_hook = "${var.name}-drain"

  # What the leading admin puts: the same dimensions, or the group would see nothing.
  dimensions = merge(var.dimensions, { pool = var.pool })

  # boot.sh reads these variables; texts of several lines are in base64.
  user_data = join("\n", [
    "#!/bin/bash",
    "region='${data.aws_region.current.id}'",
    "group='${var.name}'",
    "hook='${local.drain_hook}'",
    "processes=${var.processes}",
    "secrets='${join(" ", [for name, arn in var.secrets : "${name}=${arn}"])}'",
    "settings=${base64encode(var.settings)}",
    "worker_unit=${base64encode(file("${path.module}/../systemd/watcher-worker@.service"))}",
    "drain_unit=${base64encode(file("${path.module}/watcher-drain.service"))}",
    "drain_script=${base64encode(file("${path.module}/drain.sh"))}",
    file("${path.module}/boot.sh"),
  ])
}

resource "aws_launch_template" "worker" {
  name_prefix            = "${var.name}-"
  image_id               = var.image_id
  instance_type          = var.instance_type
  vpc_security_group_ids = var.security_group_ids
  user_data              = base64encode(local.user_data)
  update_default_version = true
  tags                   = var.tags

  iam_instance_profile {
    arn = aws_iam_instance_profile.worker.arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  tag_specifications {
    resource_type = "instance"
    tags          = merge(var.tags, { Name = var.name })
  }
}

resource "aws_autoscaling_group" "workers" {
  name                      = var.name
  min_size                  = var.min_size
  max_size                  = var.max_size
  vpc_zone_identifier       = var.subnet_ids
  health_check_type         = "EC2"
  health_check_grace_period = 60
  default_instance_warmup   = var.warmup_seconds
  enabled_metrics           = ["GroupInServiceInstances"]
  metrics_granularity       = "1Minute"

  launch_template {
    id      = aws_launch_template.worker.id
    version = aws_launch_template.worker.latest_version
  }

  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 90
    }
  }

  dynamic "tag" {
    for_each = var.tags

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = false
    }
  }

  # The first thing that a machine does is to read its secrets.
  depends_on = [aws_iam_role_policy.secrets, aws_iam_role_policy_attachment.results]
}

# A machine that is to go waits until its workers have handed their checks to others, and says so
# itself (drain.sh); when it cannot, it goes after drain_seconds, and others notice within seconds.
resource "aws_autoscaling_lifecycle_hook" "drain" {
  name                   = local.drain_hook
  autoscaling_group_name = aws_autoscaling_group.workers.name
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = var.drain_seconds
  default_result         = "CONTINUE"
}

# The load over the capacity of the live workers, in percent: it falls as machines are added.
resource "aws_autoscaling_policy" "utilization" {
  count = var.follow == "utilization" ? 1 : 0

  name                   = "${var.name}-utilization"
  autoscaling_group_name = aws_autoscaling_group.workers.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = var.target_utilization

    customized_metric_specification {
      namespace   = var.namespace
      metric_name = "watcher.scaling.capacity_utilization"
      statistic   = "Average"

      dynamic "metric_dimension" {
        for_each = local.dimensions

        content {
          name  = metric_dimension.key
          value = metric_dimension.value
        }
      }
    }
  }
}

# The other way: how many workers there should be for each machine that there is.
resource "aws_autoscaling_policy" "desired_workers" {
  count = var.follow == "desired_workers" ? 1 : 0

  name                   = "${var.name}-desired-workers"
  autoscaling_group_name = aws_autoscaling_group.workers.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = var.processes

    customized_metric_specification {
      metrics {
        id          = "desired"
        return_data = false

        metric_stat {
          stat = "Maximum"

          metric {
            namespace   = var.namespace
            metric_name = "watcher.scaling.desired_workers"

            dynamic "dimensions" {
              for_each = local.dimensions

              content {
                name  = dimensions.key
                value = dimensions.value
              }
            }
          }
        }
      }

      metrics {
        id          = "machines"
        return_data = false

        metric_stat {
          stat = "Average"

          metric {
            namespace   = "AWS/AutoScaling"
            metric_name = "GroupInServiceInstances"

            dimensions {
              name  = "AutoScalingGroupName"
              value = var.name
            }
          }
        }
      }

      metrics {
        id          = "workers_each"
        label       = "Workers wanted for each machine"
        expression  = "desired / machines"
        return_data = true
      }
    }
  }
}
