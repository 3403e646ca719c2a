"""Published numbers to compare with: the AdaLoRA+RS paper's tables, and GUE's.

    reference.py                   the numbers by the names used here: backbone, method, task
    table2_pd_auc.csv              test AUC on the promoter tasks (Table 2), and parameters
    tableS2_emp_mcc.csv            test MCC on the histone tasks (Table S2)
    tableS1_hyperparameters.csv    settings of AdaLoRA and AdaLoRA+RS for each task (Table S1)
    table3_top2.csv                on how many tasks a method is among the top two (Table 3)
    gue_anchors.csv                test MCC x 100 of the models that GUE was published with

The paper is Zhan & Zhang 2023, "Parameter-Efficient Fine-Tune on Open Pre-trained Transformers for
Genomic Sequence"; the anchors are the results of DNABERT-2's authors on GUE (Zhou et al. 2023,
arXiv 2306.15006): full fine-tuning of the DNABERT models, LoRA on the Nucleotide Transformers.
Models, methods and tasks are named in the files as they are printed, the settings of Table S1 as
everywhere here. Every number is of one run with one seed.

What is odd about the paper's numbers:

- DNABERT-2 with LoRA on H3K4me3 is printed as 0, which is what a collapsed run scores: kept.
- Table S2 prints DNABERT-2's parameter counts a row off; its file has those of Table 2.
- DNABERT-2 with FMFT on the histone tasks is GUE's published row, rounded, and not another run.
- Printed counts of trainable parameters follow no one rule: some fit the ranks at the start, some
  those at the end, some a head counted twice.
- With the paper's batch size and epochs prom_tata has fewer steps than its deltaT.
- Table 3 counts the models, not the methods: a count says how often the model is among the best
  two models with that method. All its counts for promoters follow from Table 2 by that rule, two
  of the six for histone marks from Table S2, and no rule tried here gives more.

Any layer may import this; it needs the standard library alone.
"""
