variable "name" {
  description = "Name of the group, and of everything that belongs to it."
  type        = string
  default     = "watcher-workers"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,64}$", var.name))
    error_message = "The name has 1 to 64 letters, digits, dots, hyphens and underscores."
  }
}

variable "image_id" {
  description = "Machine image with systemd, curl, the AWS CLI, Node 24, and watcher in /opt/watcher."
  type        = string
}

variable "instance_type" {
  description = "Size of a machine; of a type without CPU credits, or checks run late when they are used up."
  type        = string
  default     = "c7i.large"
}

variable "processes" {
  description = "Workers on each machine: one for each core."
  type        = number
  default     = 2

  validation {
    condition     = var.processes >= 1 && var.processes <= 64 && floor(var.processes) == var.processes
    error_message = "The number of processes is a whole one from 1 to 64."
  }
}

variable "min_size" {
  description = "Fewest machines: with one alone, its loss is a gap."
  type        = number
  default     = 2
}

variable "max_size" {
  description = "Most machines, the last word on what this costs."
  type        = number
  default     = 10
}

variable "subnet_ids" {
  description = "Subnets of the machines, in several availability zones."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups of the machines: out to etcd, the targets and the sinks; nothing in."
  type        = list(string)
}

variable "settings" {
  description = "Text of watcher.yml: etcd, sinks (cloudwatch among them), scaling. Not its secrets."
  type        = string
}

variable "secrets" {
  description = "Credential of the unit => ARN of the secret in Secrets Manager that holds it as text."
  type        = map(string)

  validation {
    condition = alltrue([
      for name in ["etcd-ca.pem", "etcd-client.pem", "etcd-client.key", "pool.key"] :
      contains(keys(var.secrets), name)
    ])
    error_message = "The unit of a worker loads etcd-ca.pem, etcd-client.pem, etcd-client.key and pool.key."
  }
}

variable "namespace" {
  description = "As in the cloudwatch sink of the settings."
  type        = string
  default     = "Watcher"
}

variable "pool" {
  description = "As scaling.pool in the settings: what tells the metrics of two pools apart."
  type        = string
  default     = "watcher"
}

variable "dimensions" {
  description = "As in the cloudwatch sink of the settings: on every metric."
  type        = map(string)
  default     = {}
}

variable "event_bus_arn" {
  description = "Bus of the eventbridge sink; null where there is none."
  type        = string
  default     = null
}

variable "follow" {
  description = "What the group follows: utilization of what there is, or desired_workers."
  type        = string
  default     = "utilization"

  validation {
    condition     = contains(["utilization", "desired_workers"], var.follow)
    error_message = "The group follows utilization or desired_workers."
  }
}

variable "target_utilization" {
  description = "Percent of the capacity that may be used; 70 leaves room for the death of a worker."
  type        = number
  default     = 70
}

variable "warmup_seconds" {
  description = "From the start of a machine until its workers have their share of the load."
  type        = number
  default     = 90
}

variable "drain_seconds" {
  description = "How long a machine that is to go may take at most; its workers need 10 s."
  type        = number
  default     = 60

  validation {
    condition     = var.drain_seconds >= 30 && var.drain_seconds <= 7200
    error_message = "Draining is given 30 to 7200 seconds."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
