from hfn_accel.planner.places import Ring, Workspace


def test_ring_takes_places_in_turn():
    ring = Ring(4, 20, unit=4)
    assert [ring.take(n) for n in (5, 4, 6, 16)] == [4, 12, 4, 4]


def test_workspace_reuses_gaps():
    w = Workspace()
    assert [w.take(0, 100), w.take(1, 64), w.take(2, 10)] == [0, 128, 192]
    w.free(0)
    assert w.take(3, 129) == 256 and w.take(4, 128) == 0
    assert w.size == 448
