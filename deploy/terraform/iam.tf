# A worker may put metrics into one namespace, put events on one bus, read its secrets, and say that it
# has drained. Nothing else, and nothing of anybody else.

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "results" {
  statement {
    sid     = "PutMetrics"
    actions = ["cloudwatch:PutMetricData"]
    # The action knows no resources; the condition is what limits it.
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = [var.namespace]
    }
  }

  dynamic "statement" {
    for_each = var.event_bus_arn == null ? [] : [var.event_bus_arn]

    content {
      sid       = "PutEvents"
      actions   = ["events:PutEvents"]
      resources = [statement.value]
    }
  }
}

data "aws_iam_policy_document" "secrets" {
  statement {
    sid       = "ReadOwnSecrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = values(var.secrets)
  }
}

data "aws_iam_policy_document" "drain" {
  statement {
    sid       = "CompleteDrain"
    actions   = ["autoscaling:CompleteLifecycleAction"]
    resources = [aws_autoscaling_group.workers.arn]
  }
}

resource "aws_iam_role" "worker" {
  name_prefix        = "${substr(var.name, 0, 37)}-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

resource "aws_iam_instance_profile" "worker" {
  name_prefix = "${var.name}-"
  role        = aws_iam_role.worker.name
  tags        = var.tags
}

# The role of the admins needs it too: the leading one puts what the group follows.
resource "aws_iam_policy" "results" {
  name_prefix = "${var.name}-results-"
  policy      = data.aws_iam_policy_document.results.json
  tags        = var.tags
}

resource "aws_iam_role_policy_attachment" "results" {
  role       = aws_iam_role.worker.name
  policy_arn = aws_iam_policy.results.arn
}

resource "aws_iam_role_policy" "secrets" {
  name   = "secrets"
  role   = aws_iam_role.worker.id
  policy = data.aws_iam_policy_document.secrets.json
}

# The ARN of a group is known once there is one; a machine drains later than that.
resource "aws_iam_role_policy" "drain" {
  name   = "drain"
  role   = aws_iam_role.worker.id
  policy = data.aws_iam_policy_document.drain.json
}
