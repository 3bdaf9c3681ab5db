import pickle

from lamina.staging import Direction, NoStaging


def test_an_error_says_which_way_which_file_and_what_to_do() -> None:
    error = NoStaging("s3://b/k", Direction.IN.value, "executor 'x'", "it has none for s3:")
    assert str(error).startswith("nothing can bring s3://b/k to executor 'x': it has none for s3:")
    assert "storage_access=" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert "take s3://b/k from" in str(NoStaging("s3://b/k", "out", "executor 'x'", "no"))
