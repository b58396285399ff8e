"""The papers behind the methods and the metrics, by citation key."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A publication: enough to find it and to cite it.

    `authors`: separated by commas. `where`: journal or proceedings, "arXiv" for what appeared nowhere else; `volume` of
    a journal. `year`: of that publication.
    """

    authors: str
    title: str
    where: str
    year: int
    url: str
    volume: str = ""

    @property
    def text(self) -> str:
        """As it stands in a list of references."""
        volume = f" {self.volume}" if self.volume else ""
        title = self.title if self.title.endswith("?") else f"{self.title}."
        return f"{self.authors} ({self.year}). {title} {self.where}{volume}. {self.url}"

    def bibtex(self, key: str) -> str:
        """As an entry of a BibTeX file."""
        kind, place = ("article", "journal") if self.volume else ("inproceedings", "booktitle")
        fields = {"title": f"{{{self.title}}}", "author": self.authors.replace(", ", " and ")}
        if self.where == "arXiv":
            kind = "misc"
            fields |= {"eprint": self.url.rpartition("/")[2], "archiveprefix": "arXiv"}
        else:
            fields[place] = self.where
        fields |= {"volume": self.volume, "year": str(self.year), "url": self.url}
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@{kind}{{{key},", *lines, "}"])


REFERENCES: dict[str, Reference] = {
    "sundararajan2017": Reference(
        "Mukund Sundararajan, Ankur Taly, Qiqi Yan",
        "Axiomatic Attribution for Deep Networks",
        "International Conference on Machine Learning (ICML)",
        2017,
        "https://arxiv.org/abs/1703.01365",
    ),
    "simonyan2014": Reference(
        "Karen Simonyan, Andrea Vedaldi, Andrew Zisserman",
        "Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency Maps",
        "International Conference on Learning Representations (ICLR), Workshop",
        2014,
        "https://arxiv.org/abs/1312.6034",
    ),
    "dhamdhere2018": Reference(
        "Kedar Dhamdhere, Mukund Sundararajan, Qiqi Yan",
        "How Important Is a Neuron?",
        "International Conference on Learning Representations (ICLR)",
        2019,
        "https://arxiv.org/abs/1805.12233",
    ),
    "shrikumar2018": Reference(
        "Avanti Shrikumar, Jocelin Su, Anshul Kundaje",
        "Computationally Efficient Measures of Internal Neuron Importance",
        "arXiv",
        2018,
        "https://arxiv.org/abs/1807.09946",
    ),
    "leino2018": Reference(
        "Klas Leino, Shayak Sen, Anupam Datta, Matt Fredrikson, Linyi Li",
        "Influence-Directed Explanations for Deep Convolutional Networks",
        "IEEE International Test Conference (ITC)",
        2018,
        "https://arxiv.org/abs/1802.03788",
    ),
    "erion2021": Reference(
        "Gabriel Erion, Joseph D. Janizek, Pascal Sturmfels, Scott M. Lundberg, Su-In Lee",
        "Improving Performance of Deep Learning Models with Axiomatic Attribution Priors and Expected Gradients",
        "Nature Machine Intelligence",
        2021,
        "https://arxiv.org/abs/1906.10670",
        volume="3",
    ),
    "bhat2023": Reference(
        "Ashwin Bhat, Arijit Raychowdhury",
        "Non-Uniform Interpolation in Integrated Gradients for Low-Latency Explainable-AI",
        "arXiv",
        2023,
        "https://arxiv.org/abs/2302.11107",
    ),
    "shrikumar2016": Reference(
        "Avanti Shrikumar, Peyton Greenside, Anna Shcherbina, Anshul Kundaje",
        "Not Just a Black Box: Learning Important Features Through Propagating Activation Differences",
        "arXiv",
        2016,
        "https://arxiv.org/abs/1605.01713",
    ),
    "petsiuk2018": Reference(
        "Vitali Petsiuk, Abir Das, Kate Saenko",
        "RISE: Randomized Input Sampling for Explanation of Black-box Models",
        "British Machine Vision Conference (BMVC)",
        2018,
        "https://arxiv.org/abs/1806.07421",
    ),
    "walker2024": Reference(
        "Chase Walker, Dominic Simon, Kenny Chen, Rickard Ewetz",
        "Attribution Quality Metrics with Magnitude Alignment",
        "International Joint Conference on Artificial Intelligence (IJCAI)",
        2024,
        "https://github.com/chasewalker26/Magnitude-Aligned-Scoring",
    ),
    "zhuo2024": Reference(
        "Yue Zhuo, Zhiqiang Ge",
        "IG2: Integrated Gradient on Iterative Gradient Path for Feature Attribution",
        "IEEE Transactions on Pattern Analysis and Machine Intelligence",
        2024,
        "https://arxiv.org/abs/2406.10852",
        volume="46",
    ),
    "samek2017": Reference(
        "Wojciech Samek, Alexander Binder, Grégoire Montavon, Sebastian Lapuschkin, Klaus-Robert Müller",
        "Evaluating the Visualization of What a Deep Neural Network Has Learned",
        "IEEE Transactions on Neural Networks and Learning Systems",
        2017,
        "https://arxiv.org/abs/1509.06321",
        volume="28",
    ),
    "goh2020": Reference(
        "Gary S. W. Goh, Sebastian Lapuschkin, Leander Weber, Wojciech Samek, Alexander Binder",
        "Understanding Integrated Gradients with SmoothTaylor for Deep Neural Network Attribution",
        "International Conference on Pattern Recognition (ICPR)",
        2020,
        "https://arxiv.org/abs/2004.10484",
    ),
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
    "adebayo2018": Reference(
        "Julius Adebayo, Justin Gilmer, Michael Muelly, Ian Goodfellow, Moritz Hardt, Been Kim",
        "Sanity Checks for Saliency Maps",
        "Advances in Neural Information Processing Systems (NeurIPS)",
        2018,
        "https://arxiv.org/abs/1810.03292",
    ),
    "hedstrom2023": Reference(
        "Anna Hedström, Leander Weber, Sebastian Lapuschkin, Marina M.-C. Höhne",
        "Sanity Checks Revisited: An Exploration to Repair the Model Parameter Randomisation Test",
        "arXiv",
        2024,
        "https://arxiv.org/abs/2401.06465",
    ),
    "sixt2020": Reference(
        "Leon Sixt, Maximilian Granz, Tim Landgraf",
        "When Explanations Lie: Why Many Modified BP Attributions Fail",
        "International Conference on Machine Learning (ICML)",
        2020,
        "https://arxiv.org/abs/1912.09818",
    ),
    "rahman2022": Reference(
        "Md Mahfuzur Rahman, Noah Lewis, Sergey Plis",
        "Geometrically Guided Integrated Gradients",
        "arXiv",
        2022,
        "https://arxiv.org/abs/2206.05903",
    ),
    "miglani2020": Reference(
        "Vivek Miglani, Narine Kokhlikyan, Bilal Alsallakh, Miguel Martin, Orion Reblitz-Richardson",
        "Investigating Saturation Effects in Integrated Gradients",
        "arXiv",
        2020,
        "https://arxiv.org/abs/2010.12697",
    ),
    "lundstrom2022": Reference(
        "Daniel Lundstrom, Tianjian Huang, Meisam Razaviyayn",
        "A Rigorous Study of Integrated Gradients Method and Extensions to Internal Neuron Attributions",
        "International Conference on Machine Learning (ICML)",
        2022,
        "https://arxiv.org/abs/2202.11912",
    ),
    "tan2022": Reference(
        "Hanxiao Tan",
        "Maximum Entropy Baseline for Integrated Gradients",
        "International Joint Conference on Neural Networks (IJCNN)",
        2023,
        "https://arxiv.org/abs/2204.05948",
    ),
}
