"""What a dialect remembers of earlier messages, with a bound."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """A mapping that forgets what has been untouched for longest when it grows beyond its bound."""

    def __init__(self, bound: int, *, size_of: Callable[[V], int]) -> None:
        self._bound = bound
        self._size_of = size_of
        self._size = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, which counts as touched now."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self.peek(key)

    def peek(self, key: K) -> V | None:
        """The value, without touching it."""
        return self._entries[key][0] if key in self._entries else None

    def put(self, key: K, value: V) -> None:
        """Remember ``value``, also again when it has grown; one that is too large alone is not kept."""
        self.forget(key)
        size = self._size_of(value)
        self._entries[key] = (value, size)
        self._size += size
        while self._size > self._bound:
            self.forget(next(iter(self._entries)))

    def forget(self, key: K) -> None:
        """Remove what may be there."""
        if key in self._entries:
            _, size = self._entries.pop(key)
            self._size -= size

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
