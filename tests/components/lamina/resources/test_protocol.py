from lamina.resources import Offer


def test_an_offer_names_what_there_is_as_tasks_do() -> None:
    offer = Offer(workers=3, cores=4, memory=5, accelerators=2, nodes=1, ranks=6)
    assert offer.totals() == {"cores": 4, "memory": 5, "accelerators": 2, "nodes": 1, "ranks": 6}
    assert Offer(workers=3, cores=4).totals() == {"cores": 4}
