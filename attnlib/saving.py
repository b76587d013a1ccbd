"""What a user has set on a model and on its parts, for saving and loading.

Keras saves weights, and the arguments that make a model. A part that was frozen, that
has a precision of its own, or whose weights got a regularizer or a constraint is saved
here. Parts are named by attributes: "decoder.attention" is ``model.decoder.attention``,
and "encoder_blocks.0" is ``model.encoder_blocks[0]``.
"""

import contextlib

from attnlib.backend import keras

PENALTIES = {"regularizer": keras.regularizers, "constraint": keras.constraints}


def parts(layer, path=""):
    """(path, layer) for every layer within a layer, the outer ones first."""
    for name, value in sorted(vars(layer).items()):
        if name.startswith("_"):
            continue
        found = {f"{path}{name}": value}
        if isinstance(value, list):
            found = {f"{path}{name}.{i}": part for i, part in enumerate(value)}
        for name_of_part, part in found.items():
            if isinstance(part, keras.Layer):
                yield name_of_part, part
                yield from parts(part, f"{name_of_part}.")


def apply_penalties(model):
    """Give each weight the regularizer and the constraint that its layer names.

    Keras reads ``layer.kernel_regularizer`` once, when the weight is made. Here it
    counts whenever it is set. What was set on the weight itself stays.
    """
    for _, layer in parts(model):
        for weight, kind, attribute in _weights(layer):
            named = PENALTIES[kind].get(getattr(layer, attribute, None))
            before = getattr(weight, f"{kind}_of_layer", None)
            if named is not None or before is not None:
                setattr(weight, kind, named)
                setattr(weight, f"{kind}_of_layer", named)


def _weights(layer):
    """(weight, kind, the layer's attribute) for weights of a layer without parts."""
    if next(parts(layer), None) is None:
        for weight in layer.weights:
            # A GRU's recurrent_kernel has a recurrent_regularizer.
            name = weight.name.removeprefix("recurrent_kernel")
            for kind in PENALTIES:
                yield weight, kind, f"{name or 'recurrent'}_{kind}"


def trainable_state(model):
    """What a traced step of training or evaluation depends on.

    It changes where a part is frozen, or gets a regularizer, or another dropout rate.
    """
    weights = [
        (id(weight), id(weight.regularizer), id(weight.constraint))
        for weight in model.trainable_variables
    ]
    layers = [
        (id(part.activity_regularizer), part.dtype_policy.name, vars(part).get("rate"))
        for _, part in parts(model)
    ]
    return weights + layers


def settings(model):
    """What was set on parts: {path: {name: value}}, ready for a config."""
    found = {}
    frozen = any(not part.trainable for _, part in parts(model))
    apply_penalties(model)
    for path, part in parts(model):
        values = {"trainable": part.trainable} if frozen else {}
        if part.dtype_policy != model.dtype_policy:
            values["dtype"] = keras.dtype_policies.serialize(part.dtype_policy)
        activity = part.activity_regularizer
        if activity is not None:
            values["activity_regularizer"] = keras.regularizers.serialize(activity)
        for weight, kind, attribute in _weights(part):
            penalty = getattr(weight, kind)
            if penalty is not None:
                values[attribute] = PENALTIES[kind].serialize(penalty)
        if values:
            found[path] = values
    return found


def restore(model, found):
    """Set on a model's parts what ``settings`` found on them."""
    named = dict(parts(model))
    for path, values in found.items():
        part, values = named[path], dict(values)
        part.trainable = values.pop("trainable", part.trainable)
        if "dtype" in values:
            part.dtype_policy = keras.dtype_policies.deserialize(values.pop("dtype"))
        for attribute, value in values.items():
            kind = PENALTIES[attribute.rpartition("_")[2]]
            setattr(part, attribute, kind.deserialize(value))
    apply_penalties(model)


@contextlib.contextmanager
def precision(policy):
    """Layers that are made within have this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
