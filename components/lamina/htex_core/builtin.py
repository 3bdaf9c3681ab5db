"""The names by which users ask for our selectors and orders."""

__all__ = ["BUILTIN"]

BUILTIN = {
    "manager_selectors": {
        "turn": ".selectors:TurnManagerSelector",
        "random": ".selectors:RandomManagerSelector",
        "fewest_free": ".selectors:FewestFreeManagerSelector",
        "most_free": ".selectors:MostFreeManagerSelector",
        "block_id": ".selectors:BlockIdManagerSelector",
    },
    "queue_orders": {
        "priority_first": ".orders:PriorityFirst",
        "first_in_first_out": ".orders:FirstInFirstOut",
        "shortest_first": ".orders:ShortestFirst",
    },
}
