"""The names by which users ask for our providers."""

__all__ = ["BUILTIN"]

BUILTIN = {
    "ad_hoc": ".adhoc:AdHocProvider",
    "aws": "..providers_aws:AWSProvider",
    "condor": "..providers_batch:CondorProvider",
    "flux": "..providers_batch:FluxProvider",
    "grid_engine": "..providers_batch:GridEngineProvider",
    "kubernetes": "..providers_kubernetes:KubernetesProvider",
    "local": ".local:LocalProvider",
    "lsf": "..providers_batch:LSFProvider",
    "pbspro": "..providers_batch:PBSProProvider",
    "slurm": "..providers_batch:SlurmProvider",
    "torque": "..providers_batch:TorqueProvider",
}
