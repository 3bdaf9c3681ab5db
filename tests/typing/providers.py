"""Each provider is one, and those whose blocks see no file of this host say so."""

from lamina.channels import LocalChannel
from lamina.providers import AdHocProvider, LuggageProvider, Provider
from lamina.providers_aws import AWSProvider
from lamina.providers_batch import FluxProvider
from lamina.providers_kubernetes import KubernetesProvider

hosts: LuggageProvider = AdHocProvider(channels=[LocalChannel()])
machines: LuggageProvider = AWSProvider("ami-1")
pods: LuggageProvider = KubernetesProvider("an-image", max_cpu="1500m", max_mem="2 GiB")
jobs: Provider = FluxProvider(walltime="01:00:00")
