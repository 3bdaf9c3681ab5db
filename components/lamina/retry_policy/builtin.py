"""The names by which users ask for our retry policies."""

__all__ = ["BUILTIN"]

BUILTIN = {
    "backoff": ".backoff:Backoff",
    "by_cause": ".causes:ByCause",
    "cost_budget": ".budget:CostBudget",
    "crash_limit": ".policies:CrashLimit",
    "default": ".policies:Default",
    "either": ".composition:Either",
    "infrastructure_free": ".causes:InfrastructureFree",
    "more_memory": ".memory:MoreMemory",
    "never": ".policies:Never",
    "other_executor": ".places:OtherExecutor",
    "other_node": ".places:OtherNode",
    "retries": ".policies:Retries",
    "then": ".composition:Then",
}
