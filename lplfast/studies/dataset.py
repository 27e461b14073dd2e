"""The dataset of a study, put together from its shards."""

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
        self.dims, self.attrs = {}, {}
        for shard, _ in self.shards:
            for name, variable in shard.variables.items():
                self.dims.setdefault(name, variable.dims)
                self.attrs.setdefault(name, variable.attrs)
        self.coordinates = {name: self._coordinate(name) for name, dims in self.dims.items() if dims == (name,)}
        self.thinned, self.lines = {}, {}
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

    def _parts(self, name):
        """Return the parts of a variable with the shards that they are in, and the places of their cells."""
        return [(shard.variables[name], shard, places) for shard, places in self.shards if name in shard.variables]

    def _lengths(self, name, axis):
        """Return how long the variable is along an axis, at most, in each shard, of the cells of this grid."""
        return [variable.shapes[mine, axis].max(initial=0) for variable, _, places in self._parts(name)
                for mine in [places[variable.cells] >= 0]]

    def _coordinate(self, name):
        """Return all values of a coordinate, sorted."""
        found = []
        for variable, _, places in self._parts(name):
            mine = np.repeat(places[variable.cells] >= 0, variable.shapes[:, 0])
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
        return errors.astype(str).reshape(self.grid.shape)

    def _values(self, name):
        """Return a variable of all cells, padded."""
        dims, parts = self.dims[name], self._parts(name)
        shape = (len(self.grid), *(self.sizes[dim] for dim in dims))
        values = np.zeros(shape, np.result_type(*(variable.values.dtype for variable, _, _ in parts)))
        filled = np.zeros(shape, bool)
        for variable, shard, places in parts:
            _check_same(name, dims, variable, values)
            index = (np.repeat(places[variable.cells], variable.shapes.prod(axis=1)),
                     *self._positions(variable, shard))
            inside = np.all([part >= 0 for part in index], axis=0)
            index = tuple(part[inside] for part in index)
            values[index], filled[index] = variable.values[inside], True
        if not filled.all() and values.dtype.kind != "U":
            values = values.astype(np.result_type(values.dtype, np.float64))
            values[~filled] = np.nan
        return values.reshape((*self.grid.shape, *shape[1:]))

    def _positions(self, variable, shard):
        """Return where along its dimensions each value stands, an array a dimension; -1 where it is left out."""
        if not variable.dims:
            return []
        if len(variable.dims) == 1:
            return [self._along(variable.dims[0], variable.shapes[:, 0], variable.cells, shard)]
        found = [[] for _ in variable.dims]
        for cell, shape in zip(variable.cells, variable.shapes, strict=True):
            lines = [self._along(dim, shape[axis:axis + 1], [cell], shard) for axis, dim in enumerate(variable.dims)]
            for axis, part in enumerate(np.meshgrid(*lines, indexing="ij")):
                found[axis].append(part.reshape(-1))
        return [np.concatenate(parts) for parts in found]

    def _along(self, dim, counts, cells, shard):
        """Return where along a dimension the values of some cells stand, so many of each."""
        if dim not in self.coordinates:
            total = int(np.sum(counts))
            return np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
        own = shard.variables.get(dim)
        if own is None or not np.isin(cells, own.cells).all():
            raise ValueError(f"{dim}: expected this coordinate from all cells that use it, got none from some")
        numbers = np.searchsorted(own.cells, cells)
        if not np.array_equal(own.shapes[numbers, 0], counts):
            raise ValueError(f"{dim}: expected variables as long as this coordinate, got others")
        if (id(own), dim) not in self.lines:
            # the same for all columns of a history
            line, values = self.coordinates[dim], own.values
            places = np.minimum(np.searchsorted(line, values), len(line) - 1)
            self.lines[id(own), dim] = (np.where(line[places] == values, places, -1) if len(line) else
                                        np.full(len(values), -1))
        places = self.lines[id(own), dim]
        if len(numbers) < len(own.cells):
            ends = np.cumsum(own.shapes[:, 0])
            places = np.concatenate([places[ends[i] - own.shapes[i, 0]:ends[i]] for i in numbers])
        return places


def _check_same(name, dims, variable, values):
    """Refuse a variable that is another thing in some cells."""
    if variable.dims != dims:
        raise ValueError(f"{name}: expected the same dimensions in all cells, got {dims} and {variable.dims}")
    if (variable.values.dtype.kind == "U") != (values.dtype.kind == "U"):
        raise ValueError(f"{name}: expected numbers, or text, in all cells, got both")
