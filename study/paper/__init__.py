"""Published numbers: the tables of the AdaLoRA+RS paper, and results on GUE.

    reference.py                   reads the tables, by backbone, method and task
    table2_pd_auc.csv              test AUC on the promoter tasks, trainable parameters (Table 2)
    tableS2_emp_mcc.csv            test MCC on the histone tasks (Table S2)
    tableS1_hyperparameters.csv    settings of AdaLoRA and AdaLoRA+RS for each task (Table S1)
    table3_top2.csv                number of tasks on which a method is among the top two (Table 3)
    gue_anchors.csv                test MCC x 100 of the models published with GUE

The paper is Zhan & Zhang 2023, "Parameter-Efficient Fine-Tune on Open Pre-trained Transformers for
Genomic Sequence". The anchors are the results of the authors of DNABERT-2 on GUE (Zhou et al.
2023, arXiv 2306.15006): full fine-tuning of the DNABERT models, LoRA on the Nucleotide
Transformers. The files have the printed names of models, methods and tasks; the settings of Table
S1 have the names used in this project. Every number comes from one run with one seed.

Irregularities in the paper's numbers:

- DNABERT-2 with LoRA on H3K4me3 is printed as 0, the score of a collapsed run. It is kept.
- Table S2 prints the parameter counts of DNABERT-2 one row off; its file has those of Table 2.
- DNABERT-2 with FMFT on the histone tasks is GUE's published row, rounded, not a separate run.
- The printed numbers of trainable parameters follow no single rule: some match the ranks at the
  start, some those at the end, some count the head twice.
- With the paper's batch size and epochs prom_tata has fewer steps than its deltaT.
- Table 3 ranks models, not methods: a count is the number of tasks on which the model is among
  the best two models with that method. By this rule Table 2 gives all its counts for promoters,
  and Table S2 two of its six counts for histone marks; no other rule tried gives more.

Any layer may import this package; it needs only the standard library.
"""
