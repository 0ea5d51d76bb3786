from partitions import pack


def test_pieces_fill_partitions_up_to_their_capacity() -> None:
    costs = [(f"piece-{n}", cost) for n, cost in enumerate([5, 3, 9, 2, 30, 7, 1, 4])]
    assignment = pack(costs, capacity=10)
    assert set(assignment) == {name for name, _ in costs}
    filled: dict[int, list[int]] = {}
    for name, cost in costs:
        filled.setdefault(assignment[name], []).append(cost)
    assert sorted(filled) == list(range(len(filled)))
    assert filled[0] == [30]
    assert all(sum(members) <= 10 or len(members) == 1 for members in filled.values())
    assert len(filled) == 5


def test_the_numbers_do_not_depend_on_the_order() -> None:
    costs = [(f"piece-{n}", (n * 37) % 11 + 1) for n in range(50)]
    assert pack(costs, 20) == pack(costs[::-1], 20)
    assert pack([], 20) == {}
