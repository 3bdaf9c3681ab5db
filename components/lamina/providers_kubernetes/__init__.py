"""Blocks that are pods of a Kubernetes cluster."""

from lamina.providers_kubernetes.provider import KubernetesProvider

__all__ = ["KubernetesProvider"]
