"""The dataset of a study, put together from its shards."""

import math

import numpy as np

from .grid import SEED

__all__ = ["Assembly"]

# Bytes that the padded variables along a coordinate may take up together.
LIMIT = 2**30


class Assembly:
    """The variables of a grid, of all shards.

    Dimensions of their own are as long as the longest: along one with a coordinate, values stand at the coordinate's;
    along others at their number. The rest is NaN, "" for text.
    """

    def __init__(self, grid, shards):
        self.grid = grid
        self.places = {cell.key: cell.place for cell in grid.cells()}
        self.shards = [(shard, np.array([self.places.get(key, -1) for key in shard.keys])) for shard in
                       sorted(shards, key=lambda shard: shard.maker)]
        self.dims, self.attrs, self.parts, self.own, self.refused = {}, {}, {}, {}, {}
        self._agree()
        self._ask_for_coordinates()
        self.coordinates = {name: self._coordinate(name) for name, dims in self.dims.items() if dims == (name,)}
        # the rest of what is common to all columns of a history: of each layout of a shard
        self.thinned, self.lines, self.flat = {}, {}, {}
        self._thin()
        self.sizes = {name: len(values) for name, values in self.coordinates.items()}
        for name, dims in self.dims.items():
            for axis, dim in enumerate(dims):
                if dim not in self.coordinates:
                    self.sizes[dim] = max([self.sizes.get(dim, 0), *self._lengths(name, axis)])

    def dataset(self, attrs):
        """Return the xarray.Dataset."""
        import xarray

        grid = self.grid
        coords = {name: (name, np.array(labels)) for name, labels in grid.labels.items()}
        coords[SEED] = SEED, np.array(grid.seeds), {"long_name": "number of the repetition"}
        coords |= {name: (name, values, self.attrs[name]) for name, values in self.coordinates.items()}
        variables = {name: ((*grid.dims, *dims), self._values(name), self.attrs[name])
                     for name, dims in self.dims.items() if name not in self.coordinates}
        errors = self._errors()
        variables["error"] = grid.dims, errors, {"long_name": "what went wrong, empty where nothing did"}
        said = {f"thinned_{name}": f"one in {every}" for name, every in self.thinned.items()}
        return xarray.Dataset(variables, coords, {**attrs, "cells": len(grid), "failed": int((errors != "").sum()),
                                                  **said})

    def _agree(self):
        """Find the parts of each variable, what it is in the first cell that has it, and the cells where it is not.

        A part comes with the shard that it is in, and the places of that one's cells.
        """
        found = {}
        for shard, places in self.shards:
            for variable in shard.variables:
                mine = places[variable.layout.cells]
                if (mine >= 0).any():
                    kinds = found.setdefault(variable.name, {})
                    kinds.setdefault(_kind(variable), []).append((mine[mine >= 0], (variable, shard, places)))
        for name, kinds in found.items():
            first = {kind: min(mine.min() for mine, _ in parts) for kind, parts in kinds.items()}
            agreed = min(first, key=first.get)
            self.parts[name] = [part for _, part in kinds.pop(agreed)]
            self.dims[name], self.attrs[name] = agreed[0], self.parts[name][0][0].attrs
            self.own |= {(id(shard), name): variable for variable, shard, _ in self.parts[name]}
            for kind, parts in kinds.items():
                error = f"ValueError: {name}: expected {_said(agreed)}, as in the first cell, got {_said(kind)}"
                self._refuse((place for mine, _ in parts for place in mine.tolist()), error)

    def _refuse(self, places, error):
        """Have cells fail."""
        for place in places:
            self.refused[place] = min(error, self.refused.get(place, error))

    def _ask_for_coordinates(self):
        """Leave out what cells have along the coordinate of others, without that coordinate: nobody knows where."""
        for name, dims in self.dims.items():
            for dim in dims:
                if dim != name and self.dims.get(dim) == (dim,):
                    self.parts[name] = [(self._with(dim, *part), *part[1:]) for part in self.parts[name]]

    def _with(self, dim, variable, shard, places):
        """Return a variable of a shard in the cells that have this coordinate; the others fail."""
        own = self.own.get((id(shard), dim))
        cells = variable.layout.cells
        there = np.isin(cells, [] if own is None else own.layout.cells)
        if there.all():
            return variable
        mine = places[cells[~there]]
        self._refuse(mine[mine >= 0].tolist(), f"ValueError: {variable.name}: expected the coordinate {dim} with it, "
                                               "as other cells have it, got none")
        return variable.of(there)

    def _lengths(self, name, axis):
        """Return how long the variable is along an axis, at most, in each shard, of the cells of this grid."""
        return [variable.layout.shapes[places[variable.layout.cells] >= 0, axis].max(initial=0)
                for variable, _, places in self.parts[name]]

    def _coordinate(self, name):
        """Return all values of a coordinate, sorted."""
        found = []
        for variable, _, places in self.parts[name]:
            mine = np.repeat(places[variable.layout.cells] >= 0, variable.layout.shapes[:, 0])
            found.append(np.unique(variable.values[mine]))
        return np.unique(np.concatenate(found)) if found else np.empty(0)

    def _thin(self):
        """Keep one value of a coordinate in so many, where all would take too much memory."""
        for name, values in self.coordinates.items():
            users = sum(name in dims for dims in self.dims.values()) - 1
            size = 8 * len(self.grid) * len(values) * users
            if size > LIMIT and values.dtype.kind in "if":
                self.thinned[name] = -(-size // LIMIT)
                self.coordinates[name] = values[::self.thinned[name]]

    def _errors(self):
        """Return the messages of all cells."""
        errors = np.full(len(self.grid), "", dtype=object)
        for shard, places in self.shards:
            for place, error in zip(places.tolist(), shard.errors, strict=True):
                if place >= 0:
                    errors[place] = error
        for place, error in self.refused.items():
            errors[place] = errors[place] or error
        return errors.astype(str).reshape(self.grid.shape)

    def _values(self, name):
        """Return a variable of all cells, padded."""
        dims, parts = self.dims[name], self.parts[name]
        shape = (len(self.grid), *(self.sizes[dim] for dim in dims))
        dtype = np.result_type(*(variable.values.dtype for variable, _, _ in parts))
        pieces = [(*self._flat(*part), part[0].values) for part in parts]
        values = np.zeros(math.prod(shape), dtype)
        if dtype.kind != "U" and not _covered(values.size, pieces):
            values = np.full(values.size, np.nan, np.result_type(dtype, np.float64))
        for kept, index, found in pieces:
            values[index] = found[kept]
        return values.reshape((*self.grid.shape, *shape[1:]))

    def _flat(self, variable, shard, places):
        """Return which values are kept, and where they stand, all dimensions in one: the same for a whole history."""
        key = id(variable.layout), variable.dims
        if key not in self.flat:
            cells, shapes = variable.layout
            index = np.repeat(places[cells], shapes.prod(axis=1))
            kept = index >= 0
            for dim, along in zip(variable.dims, self._positions(variable, shard), strict=True):
                kept &= along >= 0
                index = index * self.sizes[dim] + along
            self.flat[key] = (slice(None), index) if kept.all() else (kept, index[kept])
        return self.flat[key]

    def _positions(self, variable, shard):
        """Return where along its dimensions each value stands, an array a dimension; -1 where it is left out."""
        if not variable.dims:
            return []
        cells, shapes = variable.layout
        if len(variable.dims) == 1:
            return [self._along(variable.dims[0], shapes[:, 0], cells, shard)]
        found = [[] for _ in variable.dims]
        for cell, shape in zip(cells, shapes, strict=True):
            lines = [self._along(dim, shape[axis:axis + 1], [cell], shard) for axis, dim in enumerate(variable.dims)]
            for axis, part in enumerate(np.meshgrid(*lines, indexing="ij")):
                found[axis].append(part.reshape(-1))
        return [np.concatenate(parts) for parts in found]

    def _along(self, dim, counts, cells, shard):
        """Return where along a dimension the values of some cells stand, so many of each."""
        if dim not in self.coordinates or not len(cells):
            total = int(np.sum(counts))
            return np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
        own = self.own[id(shard), dim]
        numbers, lengths = np.searchsorted(own.layout.cells, cells), own.layout.shapes[:, 0]
        if not np.array_equal(lengths[numbers], counts):
            raise ValueError(f"{dim}: expected variables as long as this coordinate, got others")
        places = self._on_line(dim, own)
        if len(numbers) < len(lengths):
            ends = np.cumsum(lengths)
            places = np.concatenate([places[ends[i] - lengths[i]:ends[i]] for i in numbers])
        return places

    def _on_line(self, dim, own):
        """Return where the values of a shard's coordinate stand along that of all; -1 where one is left out."""
        if (id(own), dim) not in self.lines:
            line, values = self.coordinates[dim], own.values
            places = np.minimum(np.searchsorted(line, values), len(line) - 1)
            self.lines[id(own), dim] = (np.where(line[places] == values, places, -1) if len(line) else
                                        np.full(len(values), -1))
        return self.lines[id(own), dim]


def _covered(size, pieces):
    """Whether values stand everywhere."""
    if sum(index.size for _, index, _ in pieces) < size:
        return False
    filled = np.zeros(size, bool)
    for _, index, _ in pieces:
        filled[index] = True
    return filled.all()


def _kind(variable):
    """Return what has to be the same in all cells: the dimensions, and whether it is text."""
    return variable.dims, variable.values.dtype.kind == "U"


def _said(kind):
    dims, text = kind
    return f"{'text' if text else 'numbers'} with dimensions ({', '.join(dims)})"
