"""What inside a network is responsible for a part of a map.

They are loaded when they are first used.
"""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.neurons.attention import HeadScore as HeadScore
    from gradline.neurons.attention import attention_attribution as attention_attribution
    from gradline.neurons.attention import head_scores as head_scores
    from gradline.neurons.behind import region as region
    from gradline.neurons.behind import region_as_published as region_as_published
    from gradline.neurons.behind import regions as regions
    from gradline.neurons.circuits.circuit import Circuit as Circuit
    from gradline.neurons.circuits.circuit import Edges as Edges
    from gradline.neurons.circuits.circuit import circuit_of as circuit_of
    from gradline.neurons.circuits.faithfulness import Kept as Kept
    from gradline.neurons.circuits.faithfulness import circuit_score as circuit_score
    from gradline.neurons.circuits.graph import Graph as Graph
    from gradline.neurons.circuits.scores import edges as edges
    from gradline.neurons.circuits.wiring import Attention as Attention
    from gradline.neurons.circuits.wiring import Block as Block
    from gradline.neurons.circuits.wiring import Heads as Heads
    from gradline.neurons.circuits.wiring import Mlp as Mlp
    from gradline.neurons.circuits.wiring import Wiring as Wiring
    from gradline.neurons.circuits.wiring import wiring_of as wiring_of
    from gradline.neurons.dictionaries import dictionary as dictionary
    from gradline.neurons.knowledge import Effect as Effect
    from gradline.neurons.knowledge import KnowledgeNeurons as KnowledgeNeurons
    from gradline.neurons.knowledge import amplify as amplify
    from gradline.neurons.knowledge import effect as effect
    from gradline.neurons.knowledge import knowledge_neurons as knowledge_neurons
    from gradline.neurons.knowledge import of_relation as of_relation
    from gradline.neurons.knowledge import refine as refine
    from gradline.neurons.knowledge import scaled as scaled
    from gradline.neurons.knowledge import suppress as suppress
    from gradline.neurons.pruning import Fill as Fill
    from gradline.neurons.pruning import Knockout as Knockout
    from gradline.neurons.pruning import default_rankings as default_rankings
    from gradline.neurons.pruning import knockout as knockout
    from gradline.neurons.ranks import channel_sums as channel_sums
    from gradline.neurons.ranks import random_ranking as random_ranking
    from gradline.neurons.ranks import ranking as ranking
    from gradline.neurons.value_vectors import Decoder as Decoder
    from gradline.neurons.value_vectors import ValueScores as ValueScores
    from gradline.neurons.value_vectors import find_decoder as find_decoder
    from gradline.neurons.value_vectors import log_probability_increase as log_probability_increase

_HOME = names_of(
    {
        "gradline.neurons.attention": "HeadScore attention_attribution head_scores",
        "gradline.neurons.behind": "region region_as_published regions",
        "gradline.neurons.circuits.circuit": "Circuit Edges circuit_of",
        "gradline.neurons.circuits.faithfulness": "Kept circuit_score",
        "gradline.neurons.circuits.graph": "Graph",
        "gradline.neurons.circuits.scores": "edges",
        "gradline.neurons.circuits.wiring": "Attention Block Heads Mlp Wiring wiring_of",
        "gradline.neurons.dictionaries": "dictionary",
        "gradline.neurons.knowledge": "Effect KnowledgeNeurons amplify effect knowledge_neurons of_relation refine "
        "scaled suppress",
        "gradline.neurons.pruning": "Fill Knockout default_rankings knockout",
        "gradline.neurons.ranks": "channel_sums random_ranking ranking",
        "gradline.neurons.value_vectors": "Decoder ValueScores find_decoder log_probability_increase",
    }
)

__all__ = sorted(_HOME)

if not TYPE_CHECKING:
    __getattr__ = loader(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
