"""The papers behind the metrics alone, by citation key."""

from __future__ import annotations

from gradline.methods.reference import Reference

METRICS: dict[str, Reference] = {
    "rieger2020": Reference(
        "Laura Rieger, Lars Kai Hansen",
        "IROF: a low resource evaluation metric for explanation methods",
        "arXiv",
        2020,
        "https://arxiv.org/abs/2003.08747",
    ),
    "rong2022": Reference(
        "Yao Rong, Tobias Leemann, Vadim Borisov, Gjergji Kasneci, Enkelejda Kasneci",
        "A Consistent and Efficient Evaluation Strategy for Attribution Methods",
        "International Conference on Machine Learning (ICML)",
        2022,
        "https://arxiv.org/abs/2202.00449",
    ),
    "kapishnikov2019": Reference(
        "Andrei Kapishnikov, Tolga Bolukbasi, Fernanda Viégas, Michael Terry",
        "XRAI: Better Attributions Through Regions",
        "IEEE/CVF International Conference on Computer Vision (ICCV)",
        2019,
        "https://arxiv.org/abs/1906.02825",
    ),
    "yeh2019": Reference(
        "Chih-Kuan Yeh, Cheng-Yu Hsieh, Arun Sai Suggala, David I. Inouye, Pradeep Ravikumar",
        "On the (In)fidelity and Sensitivity of Explanations",
        "Advances in Neural Information Processing Systems (NeurIPS)",
        2019,
        "https://arxiv.org/abs/1901.09392",
    ),
    "ancona2018": Reference(
        "Marco Ancona, Enea Ceolini, Cengiz Öztireli, Markus Gross",
        "Towards better understanding of gradient-based attribution methods for Deep Neural Networks",
        "International Conference on Learning Representations (ICLR)",
        2018,
        "https://arxiv.org/abs/1711.06104",
    ),
    "bhatt2020": Reference(
        "Umang Bhatt, Adrian Weller, José M. F. Moura",
        "Evaluating and Aggregating Feature-based Model Explanations",
        "International Joint Conference on Artificial Intelligence (IJCAI)",
        2020,
        "https://arxiv.org/abs/2005.00631",
    ),
    "alvarezmelis2018": Reference(
        "David Alvarez-Melis, Tommi S. Jaakkola",
        "Towards Robust Interpretability with Self-Explaining Neural Networks",
        "Advances in Neural Information Processing Systems (NeurIPS)",
        2018,
        "https://arxiv.org/abs/1806.07538",
    ),
    "alvarezmelis2018b": Reference(
        "David Alvarez-Melis, Tommi S. Jaakkola",
        "On the Robustness of Interpretability Methods",
        "arXiv",
        2018,
        "https://arxiv.org/abs/1806.08049",
    ),
    "agarwal2022": Reference(
        "Chirag Agarwal, Nari Johnson, Martin Pawelczyk, Satyapriya Krishna, Eshika Saxena, Marinka Zitnik, "
        "Himabindu Lakkaraju",
        "Rethinking Stability for Attribution-based Explanations",
        "arXiv",
        2022,
        "https://arxiv.org/abs/2203.06877",
    ),
    "chalasani2020": Reference(
        "Prasad Chalasani, Jiefeng Chen, Amrita Roy Chowdhury, Xi Wu, Somesh Jha",
        "Concise Explanations of Neural Networks using Adversarial Training",
        "International Conference on Machine Learning (ICML)",
        2020,
        "https://arxiv.org/abs/1810.06583",
    ),
    "arras2022": Reference(
        "Leila Arras, Ahmed Osman, Wojciech Samek",
        "CLEVR-XAI: A benchmark dataset for the ground truth evaluation of neural network explanations",
        "Information Fusion",
        2022,
        "https://arxiv.org/abs/2003.07258",
        volume="81",
    ),
    "zhang2018": Reference(
        "Jianming Zhang, Sarah Adel Bargal, Zhe Lin, Jonathan Brandt, Xiaohui Shen, Stan Sclaroff",
        "Top-Down Neural Attention by Excitation Backprop",
        "International Journal of Computer Vision",
        2018,
        "https://arxiv.org/abs/1608.00507",
        volume="126",
    ),
    "arias2022": Reference(
        "Anna Arias-Duart, Ferran Parés, Dario Garcia-Gasulla, Victor Giménez-Ábalos",
        "Focus! Rating XAI Methods and Finding Biases",
        "IEEE International Conference on Fuzzy Systems (FUZZ-IEEE)",
        2022,
        "https://arxiv.org/abs/2109.15035",
    ),
    "bohle2021": Reference(
        "Moritz Böhle, Mario Fritz, Bernt Schiele",
        "Convolutional Dynamic Alignment Networks for Interpretable Classifications",
        "IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)",
        2021,
        "https://arxiv.org/abs/2104.00032",
    ),
    "deyoung2020": Reference(
        "Jay DeYoung, Sarthak Jain, Nazneen Fatema Rajani, Eric Lehman, Caiming Xiong, Richard Socher, "
        "Byron C. Wallace",
        "ERASER: A Benchmark to Evaluate Rationalized NLP Models",
        "Annual Meeting of the Association for Computational Linguistics (ACL)",
        2020,
        "https://arxiv.org/abs/1911.03429",
    ),
    "sanyal2021": Reference(
        "Soumya Sanyal, Xiang Ren",
        "Discretized Integrated Gradients for Explaining Language Models",
        "Conference on Empirical Methods in Natural Language Processing (EMNLP)",
        2021,
        "https://arxiv.org/abs/2108.13654",
    ),
    "shrikumar2017": Reference(
        "Avanti Shrikumar, Peyton Greenside, Anshul Kundaje",
        "Learning Important Features Through Propagating Activation Differences",
        "International Conference on Machine Learning (ICML)",
        2017,
        "https://arxiv.org/abs/1704.02685",
    ),
}
