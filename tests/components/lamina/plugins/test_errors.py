import pickle

from lamina.plugins import ConfigErrors, Mistake, PluginError, UnknownPluginError


def test_an_unknown_name_brings_the_closest_known_one():
    error = UnknownPluginError("providers", "slrum", ["local", "slurm"])
    assert "did you mean 'slurm'?" in str(error)
    assert "local, slurm" in str(error)


def test_many_mistakes_are_listed_with_their_paths():
    one = ConfigErrors([Mistake("a.b", "is wrong")])
    two = ConfigErrors([Mistake("a.b", "is wrong"), Mistake("", "is worse")])
    assert str(one) == "a.b: is wrong"
    assert str(two) == "2 mistakes:\n  a.b: is wrong\n  is worse"


def test_they_survive_pickle():
    errors = [
        PluginError("providers", "x", "no module"),
        UnknownPluginError("providers", "x", ["y"]),
        ConfigErrors([Mistake("a", "b")]),
    ]
    for error in errors:
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
