"""Keras's compile, fit, evaluate, export, and save, for a model trained on pairs.

Every argument of Keras's own methods either works here or is refused; none is ignored.
"""

import contextlib
import inspect

import numpy as np

from attnlib import fast, saving
from attnlib.arguments import integer
from attnlib.backend import keras, tf
from attnlib.batches import (
    TOKEN_IDS,
    Batches,
    OwnBatches,
    check_class_weight,
    check_pairs,
    check_weights,
    leave_out_long,
    split_pairs,
    warn_of_long,
)
from attnlib.losses import check_loss, check_metrics, per_token, real_tokens
from attnlib.progress import EpochProgress
from attnlib.vocabulary import shorten

ops = keras.ops

BATCH_SIZE = 128


class PairModel(keras.Model):
    """A ``keras.Model`` that is trained on pairs. Not used by itself: see ``Seq2Seq``.

    A subclass has ``source_vocabulary``, ``target_vocabulary``, and ``units``, and
    computes loss and token accuracy in ``compute_loss``.
    """

    max_source_len = None  # the longest source that the model can have; None for any
    max_target_len = None  # the same for the target, <start> or <end> included

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.loss_tracker = keras.metrics.Mean("loss")
        self.accuracy_tracker = keras.metrics.Mean("token_accuracy")
        self.training_loops = fast.TrainingLoops()
        self.traced_for = None

    # What is minimized and measured

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        **options,
    ):
        """Keras's compile. Loss and metrics get real tokens alone, never padding.

        Parameters
        ----------
        optimizer : as in Keras
        loss : callable or keras.losses.Loss, optional
            A function of token IDs, shape (tokens,), and logits, shape (tokens, target
            vocabulary), over all real tokens of a batch; it returns one number per
            token, or one number. The cross-entropy if not given. Of Keras's own, those
            that take ``from_logits=True``; all but the sparse one get one-hot vectors,
            so ``keras.losses.CategoricalCrossentropy(from_logits=True,
            label_smoothing=0.1)`` smooths the labels.
        loss_weights : float, optional
            With ``loss``: a factor.
        metrics, weighted_metrics : list, optional
            "accuracy", Keras's sparse metrics, or your own, of the same token IDs and
            logits. Loss and token accuracy are always measured.
        **options
            As in Keras: ``run_eagerly``, ``steps_per_execution``, and others.
            ``jit_compile`` is False if not given, or "auto": ``fit`` has the loops
            compiled that gain from it. XLA cannot compile the whole step of every kind
            of attention; ``fit`` says so where it cannot.

        Raises
        ------
        ValueError
            If the loss or a metric cannot be computed from token IDs and logits.
        """
        size = len(self.target_vocabulary)
        loss, self.one_hot, self.loss_per_token = check_loss(loss, loss_weights, size)
        self.measured = bool(check_metrics(metrics) + check_metrics(weighted_metrics))
        # Keras keeps the loss and the metrics of the call before where none are given.
        self.loss = self._compile_loss = self._compile_metrics = None
        if options.get("jit_compile", "auto") == "auto":
            options["jit_compile"] = False
        super().compile(
            optimizer,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            **options,
        )

    def compiled_loss_of(self, y, y_pred, weights):
        """The loss given to ``compile``, over real tokens, and regularizers."""
        if weights is not None and not self.loss_per_token:
            raise ValueError(
                "loss should return one number per token where sample_weight or "
                "class_weight is given, got one number for all tokens"
            )
        y, y_pred, weights = real_tokens(y, y_pred, weights)
        if self.one_hot:
            y = ops.one_hot(y, y_pred.shape[-1])  # (tokens, target vocabulary)
        return super().compute_loss(y=y, y_pred=y_pred, sample_weight=weights)

    @property
    def metrics(self):
        ours = [self.loss_tracker, self.accuracy_tracker]
        names = [metric.name for metric in ours]  # Keras has a mean called "loss" too
        return ours + [m for m in super().metrics if m.name not in names]

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if not self.measured:
            return self.get_metrics_result()
        weights = per_token(sample_weight, y)
        return super().compute_metrics(x, *real_tokens(y, y_pred, weights))

    def train_step(self, data):
        with self.training_loops:
            return super().train_step(data)

    # Training

    def batches(
        self,
        pairs,
        batch_size=BATCH_SIZE,
        shuffle=True,
        seed=0,
        class_weight=None,
        sample_weight=None,
        max_length=None,
        verbose="auto",
    ):
        """``pairs`` as a PyDataset for fit and evaluate, in batches of like length.

        The arguments are those of ``fit``. Pairs that are far longer than the others,
        so that their batch takes long, are warned of.
        """
        pairs = check_pairs(pairs)
        if max_length is not None:
            pairs, sample_weight, message = leave_out_long(
                pairs, max_length, sample_weight
            )
            if message and verbose:
                print(message)
        batches = Batches(
            pairs,
            self.source_vocabulary,
            self.target_vocabulary,
            batch_size,
            shuffle,
            seed,
            class_weight,
            sample_weight,
        )
        source_len, target_len = batches.lengths
        self.check_lengths(source_len, target_len - 1)
        longest = np.maximum(source_len, target_len - 2)  # without <start> and <end>
        warn_of_long(
            longest, "pair", "fit(pairs, max_length=100) leaves out longer ones"
        )
        return batches

    def as_batches(self, pairs, shuffle=True, **options):
        """Pairs, or a PyDataset that fits this model, as a ``Dataset``.

        options: of ``batches``. A PyDataset takes none but their default values.
        """
        if not isinstance(pairs, keras.utils.PyDataset):
            return self.batches(pairs, shuffle=shuffle, **options)
        defaults = inspect.signature(self.batches).parameters
        for name, value in options.items():
            default = defaults[name].default
            given = value is not default and np.any(value != default)
            if given and name != "verbose":
                raise ValueError(
                    f"{name} should be given with pairs, got {name} with batches, which"
                    f" bring their own: make them with model.batches(pairs, {name}=...)"
                    " or let them have weights, as ((source, decoder_inputs), target, "
                    "weights)"
                )
        if not isinstance(pairs, Batches):
            return OwnBatches(pairs, self)
        pairs.check_fits(self)
        return pairs

    def check_lengths(self, source_len, target_len=()):
        """ValueError where a source or target is longer than the model can have.

        target_len: with <start> or <end>, as the decoder has them.
        """
        if self.max_source_len is not None:
            index = longer_than(self.max_source_len, source_len)
            if index is not None:
                raise ValueError(
                    f"sentence {index} should have at most {self.max_source_len} tokens"
                    f", which is this model's max_source_len, got {source_len[index]}"
                )
        if self.max_target_len is not None:
            index = longer_than(self.max_target_len, target_len)
            if index is not None:
                raise ValueError(
                    f"target {index} should have at most {self.max_target_len - 1} "
                    "tokens, one fewer than this model's max_target_len, got "
                    f"{target_len[index] - 1}"
                )

    def fit(
        self,
        pairs,
        epochs=1,
        batch_size=BATCH_SIZE,
        seed=0,
        validation_data=None,
        callbacks=None,
        verbose="auto",
        *,
        validation_split=0.0,
        validation_batch_size=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        max_length=None,
        **options,
    ):
        """Keras's fit, on pairs, on ``model.batches(pairs)``, or on your own batches.

        Parameters
        ----------
        pairs, validation_data : list of (source_tokens, target_tokens), or PyDataset
            A PyDataset keeps its own order and size. Your own has batches
            ((source, decoder_inputs), target), or with weights as a third part, of
            shape (batch,) or (batch, target_len); ``model.batches(pairs)`` shows them.
        seed : int
            Of the order of the batches.
        callbacks : one of Keras's callbacks, or a list of them, optional
        verbose : "auto", 0, 1, or 2
            "auto" shows one line, which says how far the training is, and stays at the
            end; 0 shows nothing; 1 and 2 are Keras's own.
        validation_split : float
            The last fraction of the pairs, which is left out of the training, and is
            the validation data.
        validation_batch_size : int, optional
            As ``batch_size`` if not given.
        shuffle : bool
            Whether each epoch draws the pairs in another order.
        class_weight : dict, optional
            How much a target word counts: {word or token ID: weight}, 1 if not listed.
            As in Keras, it is for training alone, and weighted losses are summed and
            divided by the number of tokens.
        sample_weight : array, shape (number of pairs,), optional
            How much each pair counts.
        max_length : int, optional
            Pairs in which a sentence has more tokens than that are left out, also of
            the validation data. A line says which.
        **options
            As in Keras: ``initial_epoch``, ``steps_per_epoch``, ``validation_steps``,
            and ``validation_freq``.

        Raises
        ------
        ValueError
            If batches do not fit this model, or an argument does not go with them.
        """
        data = {"pairs": pairs, "batch_size": batch_size, "shuffle": shuffle}
        data |= {"seed": seed, "max_length": max_length, "verbose": verbose}
        data |= {"class_weight": class_weight, "sample_weight": sample_weight}
        batches, validation = self._training_data(
            data, validation_data, validation_split, validation_batch_size
        )
        callbacks, verbose = with_progress(callbacks, verbose)
        self.training_loops.plan(self, batches, epochs)
        if validation is not None:
            validation_data = validation.dataset()
        with batches.errors(), clear_errors(self.jit_compile):
            return super().fit(
                batches.dataset(options.get("steps_per_epoch")),
                epochs=integer("epochs", epochs, 0),
                validation_data=validation_data,
                callbacks=callbacks,
                verbose=verbose,
                shuffle=False,
                **options,
            )

    def _training_data(self, data, held_out, fraction, held_out_size):
        """Batches to train on, and batches to validate on, or None.

        data: the arguments of ``batches``. held_out: pairs or batches, or None.
        """
        own_size = BATCH_SIZE if held_out_size is None else held_out_size
        weights, pairs = None, data["pairs"]
        if fraction:
            if held_out is not None or isinstance(pairs, keras.utils.PyDataset):
                got = "validation_data too" if held_out is not None else "batches"
                raise ValueError(
                    "validation_split should be given with pairs, which it splits, got "
                    f"{fraction} and {got}: give validation_data alone"
                )
            (pairs, data["sample_weight"]), (held_out, weights) = split_pairs(
                check_pairs(pairs), fraction, data["sample_weight"]
            )
            data["pairs"] = pairs
        batches = self.as_batches(**data)
        if held_out is None:
            return batches, None
        if isinstance(held_out, keras.utils.PyDataset):
            return batches, self.as_batches(held_out, batch_size=own_size)
        size = data["batch_size"] if held_out_size is None else held_out_size
        data |= {"pairs": held_out, "batch_size": size, "shuffle": False}
        data |= {"class_weight": None, "sample_weight": weights}
        return batches, self.batches(**data)

    def evaluate(
        self,
        pairs=None,
        batch_size=BATCH_SIZE,
        verbose=0,
        sample_weight=None,
        **options,
    ):
        """Keras's evaluate, on what ``fit`` takes.

        Returns
        -------
        [float, float]
            Loss in nats per real token, and accuracy over real tokens. The loss is that
            of ``compile``, and adds what regularizers give. More metrics follow.
        """
        if "_use_cached_eval_dataset" in options:  # ``fit`` calls it, to validate
            return super().evaluate(batch_size=batch_size, verbose=verbose, **options)
        batches = self.as_batches(
            pairs, shuffle=False, batch_size=batch_size, sample_weight=sample_weight
        )
        with batches.errors():
            return super().evaluate(batches.dataset(), verbose=verbose, **options)

    def predict(self, x, **options):
        """Keras's predict: logits for token IDs (source, decoder_inputs)."""
        if isinstance(x, list) and x and isinstance(x[0], (str, list, tuple)):
            raise TypeError(
                "x should be arrays of token IDs (source, decoder_inputs), got "
                f"{shorten(x)}; translate(sentences) takes lists of words"
            )
        return super().predict(x, **options)

    def train_on_batch(
        self, x, y=None, sample_weight=None, class_weight=None, **options
    ):
        """Keras's train_on_batch, on (source, decoder_inputs) and target."""
        if class_weight is not None:
            by_token = check_class_weight(class_weight, self.target_vocabulary)
            weights = by_token[np.asarray(y)]  # (batch, target_len)
            if sample_weight is not None:
                weights = weights * check_weights(
                    "sample_weight", sample_weight, y.shape
                )
            sample_weight = weights
        return super().train_on_batch(x, y, sample_weight=sample_weight, **options)

    def make_train_function(self, force=False):
        self._forget_what_changed()
        if self.optimizer.built and not optimized(self.optimizer):
            # Keras loads an .h5 file so: with an optimizer for no weights at all.
            self.optimizer.built = False
            self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def make_test_function(self, force=False):
        self._forget_what_changed()
        return super().make_test_function(force)

    def _forget_what_changed(self):
        """Trace steps anew where a part was frozen, or regularized, since."""
        saving.apply_penalties(self)
        state = saving.trainable_state(self)
        if state != self.traced_for:
            self.traced_for = state
            self.train_function = self.test_function = None

    # Saving

    def export(
        self,
        filepath,
        format="tf_saved_model",
        verbose=None,
        input_signature=None,
        **options,
    ):
        """Keras's export: logits for (source, decoder_inputs), of any batch and length.

        ``tf.saved_model.load(filepath).serve((source, decoder_inputs))`` gives what
        ``model((source, decoder_inputs))`` gives.
        """
        if input_signature is None:
            input_signature = [(TOKEN_IDS, TOKEN_IDS)]
        return super().export(
            filepath, format, verbose, input_signature=input_signature, **options
        )

    def get_config(self):
        return {**super().get_config(), "parts": saving.settings(self)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        settings = config.pop("parts", {})
        model = cls(**config)
        saving.restore(model, settings)
        return model

    def get_compile_config(self):
        """Keras's own, and the weights that the optimizer has a state for.

        The optimizer keeps the state of a part that was frozen after it was built.
        """
        known = {id(weight) for weight in optimized(self.optimizer)}
        if not known:
            return super().get_compile_config()
        places = [i for i, w in enumerate(self.weights) if id(w) in known]
        return {**super().get_compile_config(), "optimized": places}

    def compile_from_config(self, config):
        config = dict(config)
        places = config.pop("optimized", None)
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is None:
            return
        weights = self.trainable_variables
        if places is not None:
            weights = [self.weights[place] for place in places]
        self.optimizer.build(weights)

    @classmethod
    def load(cls, path, **options):
        """The model that ``model.save("….keras")`` wrote.

        An .h5 file is loaded too, but without the optimizer's state. options: those of
        ``keras.saving.load_model``.
        """
        if str(path).endswith(".weights.h5"):
            raise ValueError(
                "path should be a whole model, such as 'model.keras', got "
                f"{str(path)!r}, which holds weights alone: make the model, and call "
                f"model.load_weights({str(path)!r})"
            )
        return keras.saving.load_model(path, **options)


def longer_than(limit, lengths):
    """The index of the largest length if it is above the limit, else None."""
    index = int(np.argmax(lengths)) if len(lengths) else 0
    return index if len(lengths) and lengths[index] > limit else None


def optimized(optimizer):
    """The weights that an optimizer was built for."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of half precision
    return getattr(optimizer, "_trainable_variables", [])


@contextlib.contextmanager
def clear_errors(jit_compile):
    """Say what to do where XLA cannot compile a training step."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if jit_compile and "XLA" in str(error):
            raise ValueError(
                "jit_compile should be False for a model whose whole training step XLA "
                "cannot compile, got True: compile again without it"
            ) from error
        raise


def with_progress(callbacks, verbose):
    """Callbacks as a list, and Keras's verbose, where "auto" means our one line."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    if callbacks is None:
        callbacks = []
    if not isinstance(callbacks, (list, tuple)):
        callbacks = [callbacks]
    if verbose != "auto":
        return list(callbacks), verbose
    return [*callbacks, EpochProgress()], 0
